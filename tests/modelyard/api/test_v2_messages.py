"""Errors of malformed requests of the Open Inference Protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.api.v2_messages import JSON_LENGTH
from tensor_requests import INFER, document

TENSOR = {"name": "age", "datatype": "INT64", "shape": [1], "data": [39]}


@pytest.mark.parametrize("further", [0, 2])
def test_the_json_ends_where_its_length_says(ask: Any, further: int) -> None:
    content = json.dumps(document(id="x")).encode()
    answer = ask("POST", INFER, content=content + b" " * further, headers={JSON_LENGTH: str(len(content))})
    # what follows belongs to no tensor
    assert answer.status_code == (400 if further else 200)


@pytest.mark.parametrize("length", [b"-1", b"x", b"", b"3", b"9" * 18, b"9" * 4000, b" 2"], ids=lambda each: each[:20])
def test_a_length_that_is_none_or_goes_past_the_body_is_refused(ask: Any, length: bytes) -> None:
    answer = ask("POST", INFER, content=b"{}", headers={JSON_LENGTH: length})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{JSON_LENGTH}: expected the length of the JSON, at most the body's 2")
    assert len(answer.json()["error"]) < 400


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"inputs": [5]}, ("/inputs/0", "expected an object, not 5")),
        ({"inputs": [{**TENSOR, "name": 5}]}, ("/inputs/0/name", "expected a valid string, not 5")),
        ({"inputs": [{**TENSOR, "shape": ["a"]}]}, ("/inputs/0/shape/0", "expected a valid integer")),
        ({"inputs": [TENSOR], "id": []}, ("/id", "expected a valid string")),
        ({"inputs": [{"name": "age"}]}, ("/inputs/0/datatype", "a value")),
        ({}, ("/inputs", "a value")),
    ],
)
def test_what_is_of_another_kind_is_said_with_its_place(ask: Any, document: Any, said: tuple[str, str]) -> None:
    answer = ask("POST", INFER, json=document)
    assert answer.status_code == 400
    for part in said:
        assert part in answer.json()["error"]
