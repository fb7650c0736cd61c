"""Requests that are short for what they would take: each is refused within bounds of memory, errors and hints."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry

from amplifying_bodies import AMPLIFYING, LARGEST, AmplifyingBody
from malformed_bodies import GOOD
from modelyard import errors
from modelyard.api.endpoints import JsonPrediction, Prediction
from modelyard.api.feedback import FeedbackEndpoint
from modelyard.api.predict import Deferred, Predictor
from modelyard.api.prediction_ids import PredictionIds
from modelyard.api.problems import MOST_ERRORS, ProblemDetails, RequestProblem
from modelyard.api.v2 import Infer
from modelyard.models.artifact import load_model
from modelyard.monitoring.feedback import FeedbackMetrics
from modelyard.monitoring.metrics import PredictionMetrics
from served_model import save_served
from tensor_requests import document

MAX_ROWS = 1000
# of a body of 4 MiB, which is the default limit, 56 MiB
PEAK = 14 * LARGEST
LONGEST_ANSWER = 100_000
Endpoints = dict[str, Prediction]


def endpoints_of(folder: Path) -> Endpoints:
    model, metrics = load_model(folder), PredictionMetrics(CollectorRegistry())
    predictor = Predictor(model, MAX_ROWS, metrics)
    key = folder.parent / "key"
    key.write_text("a key of 16 bytes")
    target = model.contract.target
    ids = PredictionIds(str(key), model.version, target, 1.0)
    outcomes = FeedbackMetrics(metrics.registry, target, predictor.answers.classes, model.version, {})
    return {
        "json": JsonPrediction(metrics.route("/json"), predictor, {}),
        "v2": Infer(metrics.route("/v2"), predictor),
        "feedback": FeedbackEndpoint(metrics.route("/feedback"), ids, outcomes, target, MAX_ROWS),
    }


@pytest.fixture(scope="module")
def mixed(folder: Path) -> Endpoints:
    return endpoints_of(folder)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Endpoints:
    """A contract of 1,000 columns that may all be absent, for which two bytes of a row become eight kilobytes."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(20, 1000)), columns=[f"column_{number}" for number in range(1000)])
    frame.iloc[::3] = None
    frame["target"] = draw.normal(size=20)
    return endpoints_of(save_served(tmp_path_factory.mktemp("wide") / "model", frame))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were compared with candidates."""
    found: list[str] = []

    def compare(name: str, *_: Any, **__: Any) -> list[str]:
        found.append(name)
        return []

    monkeypatch.setattr(errors.difflib, "get_close_matches", compare)
    yield found
    assert len(found) <= 1


def ask(endpoint: Prediction, body: bytes, headers: dict[bytes, bytes] | None = None) -> None:
    endpoint.finish(endpoint.read(body, headers or {}))


def refusal(endpoint: Prediction, body: bytes, headers: dict[bytes, bytes] | None = None) -> ProblemDetails:
    with pytest.raises(RequestProblem) as refused:
        ask(endpoint, body, headers)
    details = refused.value.details
    assert details.status in (400, 413, 422)
    assert len(details.errors) <= MOST_ERRORS
    assert len(details.model_dump_json()) < LONGEST_ANSWER
    return details


@pytest.mark.usefixtures("compared")
@pytest.mark.parametrize("contract", ["mixed", "wide"])
@pytest.mark.parametrize("body", AMPLIFYING, ids=lambda body: body.name)
def test_a_short_body_never_takes_much_memory(
    body: AmplifyingBody, contract: str, request: pytest.FixtureRequest
) -> None:
    endpoint = request.getfixturevalue(contract)[body.endpoint]
    content = body.make()
    assert 0.8 * LARGEST < len(content) <= LARGEST
    tracemalloc.start()
    refusal(endpoint, content, body.headers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < PEAK


def test_many_short_rows_are_refused_before_they_are_made(wide: Endpoints) -> None:
    tracemalloc.start()
    refusal(wide["json"], b'{"rows":[' + b",".join([b"{}"] * 20_000) + b"]}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


@pytest.mark.parametrize("rows", [1, 200, MAX_ROWS])
def test_brackets_and_commas_in_texts_are_no_rows(rows: int, mixed: Endpoints) -> None:
    body = json.dumps({"rows": [{**GOOD, "model_config": '"[{,\\' * 400}] * rows}).encode()
    ask(mixed["json"], body)
    request = document([{**GOOD, "model_config": '"[{,\\' * 400}] * rows)
    ask(mixed["v2"], json.dumps(request).encode())


def test_what_must_be_checked_value_by_value_is_left_to_the_thread(wide: Endpoints, mixed: Endpoints) -> None:
    odd = b'{"rows":[' + b"{}," * (MAX_ROWS - 1) + b'{"column_0":"x"}]}'
    request = wide["json"].read(odd, {})
    assert wide["json"].seconds(request) == float("inf")
    with pytest.raises(RequestProblem, match="/rows/999/column_0"):
        wide["json"].finish(request)
    with pytest.raises(Deferred):
        wide["json"]._predictor.read(odd, 10)
    row = json.dumps({"rows": [{**GOOD, "_copy": "1"}]}).encode()
    assert mixed["json"].seconds(mixed["json"].read(row, {})) < 1


def test_one_unknown_name_of_a_request_gets_a_hint(mixed: Endpoints, compared: list[str]) -> None:
    unknown = {f"agee{number}": 1 for number in range(200)}
    refusal(mixed["json"], json.dumps({"rows": [{**GOOD, **unknown}]}).encode())
    assert compared == ["agee0"]
    compared.clear()
    refusal(mixed["json"], json.dumps({"row": 1, "rows": [{"agee": 1}]}).encode())
    assert compared == ["row"]
    compared.clear()
    tensors = [{"name": name, "datatype": "FP64", "shape": [1], "data": [1]} for name in list(unknown)[:90]]
    refusal(mixed["v2"], json.dumps({"inputs": tensors}).encode())
    assert compared == ["agee0"]


def test_a_wide_contract_gets_no_hint(wide: Endpoints, compared: list[str]) -> None:
    refusal(wide["json"], json.dumps({"rows": [{f"colum_{number}": 1 for number in range(200)}]}).encode())
    tensors = [{"name": f"colum_{number}", "datatype": "FP64", "shape": [1], "data": [1]} for number in range(200)]
    refusal(wide["v2"], json.dumps({"inputs": tensors}).encode())
    assert compared == []


def test_wrong_values_of_tensors_are_described_up_to_a_hundred(
    wide: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    described: list[Any] = []
    monkeypatch.setattr("modelyard.api.tensor_table.describe", lambda value: described.append(value) or "")
    names = [f"column_{number}" for number in range(1000)]
    inputs = [{"name": name, "datatype": "FP64", "shape": [50], "data": [float("inf")] * 50} for name in names]
    details = refusal(wide["v2"], json.dumps({"inputs": inputs}).encode())
    assert len(details.errors) == len(described) == MOST_ERRORS


def test_too_many_inputs_are_refused_before_one_is_validated(mixed: Endpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.api.v2_messages.InferRequest.model_validate", lambda _: pytest.fail("validated"))
    details = refusal(mixed["v2"], b'{"inputs":[' + b",".join([b"{}"] * 20_000) + b"]}")
    assert details.detail == "/inputs: expected 6 tensors, not 20000"


def test_too_many_names_are_refused_before_one_is_looked_up(mixed: Endpoints) -> None:
    details = refusal(mixed["json"], json.dumps({"rows": [[1]], "columns": ["x"] * 107}).encode())
    assert [error.detail for error in details.errors[:1]] == [
        '/columns: expected at most 6 column names, not ["x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", "x", '
        '"x", "x", "x", "x"…; it has 107'
    ]


def test_long_texts_are_cut_in_an_answer(mixed: Endpoints) -> None:
    bodies: list[tuple[str, Any]] = [
        ("json", {"rows": [{"x" * 10_000: 1}], "y" * 10_000: 1}),
        ("json", {"rows": [{"age": ["z" * 10_000]}], "columns": ["y" * 10_000]}),
        ("v2", {"inputs": [{"name": "x" * 10_000, "datatype": "FP64", "shape": [10**15] * 8, "data": []}]}),
        ("feedback", {"feedback": [], "x" * 10_000: 1}),
    ]
    for endpoint, body in bodies:
        assert len(refusal(mixed[endpoint], json.dumps(body).encode()).model_dump_json()) < 4000
