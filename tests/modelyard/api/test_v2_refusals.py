"""Requests of the Open Inference Protocol that are wrong, each with the code and the tensor that it gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tensor_requests import INFER, Document, document, packed

Ask = Callable[..., httpx.Response]


@dataclass(frozen=True)
class Bad:
    """What is changed in a good request, and what it gets."""

    name: str
    change: Callable[[Document], Any]
    status: int
    tensor: str
    path: str


def at(place: int, **changes: Any) -> Callable[[Document], Any]:
    return lambda request: request["inputs"][place].update(changes)


def top(**changes: Any) -> Callable[[Document], Any]:
    return lambda request: request.update(changes)


def without(place: int, key: str) -> Callable[[Document], Any]:
    return lambda request: request["inputs"][place].pop(key)


def output(**further: Any) -> Callable[[Document], Any]:
    return top(outputs=[{"name": "label", **further}])


BAD = (
    Bad("no inputs", lambda request: request.pop("inputs"), 400, "", "/inputs"),
    Bad("inputs an object", top(inputs={}), 400, "", "/inputs"),
    Bad("inputs empty", top(inputs=[]), 422, "", ""),
    Bad("input a text", lambda request: request["inputs"].append("age"), 400, "", "/inputs/6"),
    Bad("id a number", top(id=7), 400, "", "/id"),
    Bad("parameters a list", top(parameters=[]), 400, "", "/parameters"),
    Bad("binary output", top(parameters={"binary_data_output": 1}), 400, "", "/parameters/binary_data_output"),
    Bad("no name", without(0, "name"), 400, "", "/inputs/0/name"),
    Bad("no datatype", without(0, "datatype"), 400, "age", "/inputs/0/datatype"),
    Bad("no shape", without(0, "shape"), 400, "age", "/inputs/0/shape"),
    Bad("no data", without(0, "data"), 400, "age", "/inputs/0/data"),
    Bad("unknown datatype", at(0, datatype="FLOAT"), 400, "age", "/inputs/0/datatype"),
    Bad("BF16", at(1, datatype="BF16"), 400, "education-num", "/inputs/1/datatype"),
    Bad("texts for numbers", at(0, datatype="BYTES", data=["1", "2"]), 422, "age", "/inputs/0/datatype"),
    Bad("truth for numbers", at(0, datatype="BOOL", data=[True, True]), 422, "age", "/inputs/0/datatype"),
    Bad("numbers for texts", at(2, datatype="INT64", data=[1, 2]), 422, "model_config", "/inputs/2/datatype"),
    Bad("numbers for dates", at(3, datatype="INT64", data=[1, 2]), 422, "seen at", "/inputs/3/datatype"),
    Bad("texts for truth", at(4, datatype="BYTES", data=["true"] * 2), 422, "_copy", "/inputs/4/datatype"),
    Bad("truth for categories", at(5, datatype="BOOL", data=[True] * 2), 422, "json", "/inputs/5/datatype"),
    Bad("a wrong name", at(0, name="agee"), 422, "agee", "/inputs/0/name"),
    Bad("a name without end", at(0, name="x" * 10_000), 422, "xxx", "/inputs/0/name"),
    Bad("twice", at(1, name="age", datatype="INT64", data=[1, 2]), 400, "age", "/inputs/1/name"),
    Bad("left out", lambda request: request["inputs"].pop(0), 422, "age", "/inputs"),
    Bad("shape a number", at(0, shape=2), 400, "age", "/inputs/0/shape"),
    Bad("shape of texts", at(0, shape=["2"]), 400, "age", "/inputs/0/shape/0"),
    Bad("shape negative", at(0, shape=[-1]), 400, "age", "/inputs/0/shape/0"),
    Bad("shape long", at(0, shape=[1] * 10_000), 400, "age", "/inputs/0/shape"),
    Bad("shape empty", at(0, shape=[]), 422, "age", "/inputs/0/shape"),
    Bad("two columns", at(0, shape=[2, 2], data=[1] * 4), 422, "age", "/inputs/0/shape"),
    Bad("three axes", at(0, shape=[2, 1, 1]), 422, "age", "/inputs/0/shape"),
    Bad("fewer rows", at(0, shape=[1], data=[1]), 422, "age", "/inputs/0/shape"),
    Bad("fewer values", at(0, data=[1]), 400, "age", "/inputs/0/data"),
    Bad("more values", at(0, data=[1, 2, 3]), 400, "age", "/inputs/0/data"),
    Bad("data a text", at(0, data="12"), 400, "age", "/inputs/0/data"),
    Bad("nested too deep", at(0, shape=[2, 1], data=[[[1]], [[2]]]), 400, "age", "/inputs/0/data/0"),
    Bad("number as text", at(0, data=[1, "2"]), 400, "age", "/inputs/0/data/1"),
    Bad("number as truth", at(1, data=[1, True]), 400, "education-num", "/inputs/1/data/1"),
    Bad("fraction as whole", at(0, data=[1, 2.5]), 400, "age", "/inputs/0/data/1"),
    Bad("fraction in whole", at(0, datatype="FP64", data=[1, 2.5]), 422, "age", "/inputs/0/data/1"),
    Bad("past INT64", at(0, data=[1, 2**63]), 400, "age", "/inputs/0/data/1"),
    Bad("past INT8", at(0, datatype="INT8", data=[1, 300]), 400, "age", "/inputs/0/data/1"),
    Bad("infinite", at(1, data=[1, float("inf")]), 422, "education-num", "/inputs/1/data/1"),
    Bad("past all floats", at(1, data=[1, 10**400]), 422, "education-num", "/inputs/1/data/1"),
    Bad("text as number", at(2, data=["a", 1]), 400, "model_config", "/inputs/2/data/1"),
    Bad("no date", at(3, data=["2024-01-01", "soon"]), 422, "seen at", "/inputs/3/data/1"),
    Bad("truth as number", at(4, data=[True, 1]), 400, "_copy", "/inputs/4/data/1"),
    Bad("a number that is no truth", at(4, datatype="INT8", data=[1, 2]), 422, "_copy", "/inputs/4/data/1"),
    Bad(
        "size a text", at(0, parameters={"binary_data_size": "8"}), 400, "age", "/inputs/0/parameters/binary_data_size"
    ),
    Bad(
        "size negative", at(0, parameters={"binary_data_size": -8}), 400, "age", "/inputs/0/parameters/binary_data_size"
    ),
    Bad(
        "size of nothing",
        at(0, parameters={"binary_data_size": 16}),
        400,
        "age",
        "/inputs/0/parameters/binary_data_size",
    ),
    Bad("size and data", at(0, parameters={"binary_data_size": 0}), 400, "age", "/inputs/0/data"),
    Bad(
        "shared memory",
        at(0, parameters={"shared_memory_region": "r"}),
        400,
        "age",
        "/inputs/0/parameters/shared_memory_region",
    ),
    Bad("unknown output", top(outputs=[{"name": "score"}]), 404, "score", "/outputs/0/name"),
    Bad("output a text", top(outputs=["label"]), 400, "", "/outputs/0"),
    Bad("outputs without end", top(outputs=[{"name": "label"}] * 10_000), 400, "", "/outputs"),
    Bad("output twice", top(outputs=[{"name": "label"}] * 2), 400, "label", "/outputs/1/name"),
    Bad("classification", output(parameters={"classification": 2}), 400, "label", "/outputs/0/parameters"),
    Bad("output to memory", output(parameters={"shared_memory_region": "r"}), 400, "label", "/outputs/0/parameters"),
    Bad("binary a number", output(parameters={"binary_data": 1}), 400, "label", "/outputs/0/parameters/binary_data"),
    Bad("too many rows", at(0, shape=[251], data=[1] * 251), 413, "", ""),
    Bad("rows without end", at(0, shape=[10**18]), 413, "", ""),
    Bad(
        "too many inputs", top(inputs=[{"name": "a", "datatype": "FP64", "shape": [1], "data": [1]}] * 500), 422, "", ""
    ),
    Bad("null", lambda _: None, 400, "", ""),
)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_wrong_request_is_refused_tensor_by_tensor(bad: Bad, ask: Ask) -> None:
    request = document()
    bad.change(request)
    content = "null" if bad.name == "null" else json.dumps(request)
    answer = ask("POST", INFER, content=content)
    problem = answer.json()
    assert answer.status_code == problem["status"] == bad.status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert problem["error"] == problem["detail"]
    paths = [error["path"] for error in problem["errors"]]
    if bad.path or bad.tensor:
        assert bad.path in paths
        detail = problem["errors"][paths.index(bad.path)]["detail"]
        assert detail.startswith(f'{bad.path} (tensor "{bad.tensor}' if bad.tensor else f"{bad.path}: ")
    else:
        assert problem["error"]


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (b"", None),
        (b"{", None),
        (b'{"inputs": [' + b"[" * 10_000, None),
        (b"\xef\xbb\xbf{}", None),
        (b'{"id": "\xff"}', None),
        (b"{}trailing", None),
        (b"{}", "3"),
        (b"{}", "0"),
        (b"{}", "-2"),
        (b"{}", "two"),
        (b"{}", "9" * 5000),
        (b"{}", ""),
        (json.dumps(document()).encode() + b"more", str(len(json.dumps(document())))),
    ],
)
def test_a_body_that_is_not_what_its_length_says_is_malformed(content: bytes, length: str | None, ask: Ask) -> None:
    headers = {} if length is None else {"Inference-Header-Content-Length": length}
    answer = ask("POST", INFER, content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize("kept", range(0, 95, 5))
def test_a_packed_request_that_is_cut_off_is_malformed(kept: int, ask: Ask) -> None:
    content, headers = packed(document())
    length = int(headers["Inference-Header-Content-Length"])
    assert length + 95 < len(content)
    answer = ask("POST", INFER, content=content[: length + kept], headers=headers)
    assert answer.status_code == 400
    assert "binary_data_size" in answer.json()["error"]
