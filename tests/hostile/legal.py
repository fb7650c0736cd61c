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
    posts = {
        "one row": (PREDICT, json.dumps({"rows": [target.contract.example]}).encode()),
        "rows": (PREDICT, rows),
        "v2": (V2, json.dumps({"inputs": inputs}).encode()),
        "Arrow": (PREDICT, legal_arrow(target.contract), ARROW_TYPE),
        "feedback": (FEEDBACK, b'{"feedback":[]}'),
    }
    paths = ("/metrics", "/docs", "/openapi.json", "/api/v1/contract", "/livez")
    requests = {name: target.post(*post) for name, post in posts.items()}
    requests |= {path: target.head("GET", path) for path in paths}
    for name, request in requests.items():
        for answer in ask_all(target, [request] * 4):
            assert answer.status == 200, (name, answer)


def _datatype(value: object) -> str:
    return {bool: "BOOL", int: "INT64", float: "FP64"}.get(type(value), "BYTES")
