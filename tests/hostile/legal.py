"""Legal requests of each format."""

from __future__ import annotations

import json

from hostile.arrow_bodies import legal_arrow
from hostile.attacks import ARROW_TYPE, FEEDBACK, V2
from hostile.connection import PREDICT, Target, ask_all

__all__ = ["ask_legal"]


def ask_legal(target: Target) -> None:
    """Asserts that a request of each format is answered."""
    rows = json.dumps({"rows": [target.contract.example] * 100}).encode()
    inputs = [
        {"name": name, "shape": [1], "data": [value], "datatype": _datatype(value)}
        for name, value in target.contract.example.items()
    ]
    requests = [
        target.good_row(),
        target.post(PREDICT, rows),
        target.post(V2, json.dumps({"inputs": inputs}).encode()),
        target.post(PREDICT, legal_arrow(target.contract), ARROW_TYPE),
        target.post(FEEDBACK, b'{"feedback":[]}'),
        *(target.head("GET", path) for path in ("/metrics", "/docs", "/openapi.json", "/api/v1/contract", "/livez")),
    ]
    for answer in ask_all(target, requests * 4):
        assert answer.status == 200, answer


def _datatype(value: object) -> str:
    return {bool: "BOOL", int: "INT64", float: "FP64"}.get(type(value), "BYTES")
