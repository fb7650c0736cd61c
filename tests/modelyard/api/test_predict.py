from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString

from figures import figure
from malformed_bodies import GOOD
from modelyard.api.predict import Predictor
from modelyard.api.problems import RequestProblem
from modelyard.data.contract import Column, Contract, Target
from modelyard.errors import ContractViolation
from modelyard.models.artifact import load_model
from modelyard.models.model import Model
from modelyard.models.scorer import OnnxScorer
from modelyard.monitoring.cells import CellMetrics
from modelyard.monitoring.metrics import PredictionMetrics
from served_model import json_rows, make_contract, make_table, save_served

if TYPE_CHECKING:
    from modelyard.monitoring.prediction_log import PredictionLog

MAX_ROWS = 250
REFUSE = {"on_null": "refuse", "on_unknown": "refuse", "on_range": "refuse"}


def predictor_of(folder: Path) -> Predictor:
    return Predictor(load_model(folder), MAX_ROWS, PredictionMetrics(CollectorRegistry()))


@pytest.fixture(params=["binary", "multiclass", "flag", "regression", "instant"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Predictor, pd.DataFrame]:
    frame = make_table(request.param)
    return predictor_of(save_served(tmp_path / "model", frame)), frame


@pytest.fixture(scope="module")
def lenient(folder: Path) -> Predictor:
    return predictor_of(folder)


@pytest.fixture(scope="module")
def strict(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    contract = make_contract(frame, **dict.fromkeys(GOOD, REFUSE))
    return predictor_of(save_served(tmp_path_factory.mktemp("strict") / "model", frame, contract))


def ask(predictor: Predictor, *rows: Any, **document: Any) -> dict[str, Any]:
    """Answers rows by the batch way and, where there is one row, by the row's own, which must agree."""
    body = json.dumps({"rows": rows, **document}).encode()
    answer = predictor.answer(body)
    if len(rows) == 1 and not document.get("timing"):
        assert predictor.finish_one(predictor.read(body)) == answer
    return json.loads(answer)


def count(predictor: Predictor, name: str, **labels: str) -> float:
    predictor.metrics.flush()
    return figure(predictor.metrics.registry, name, **labels) or 0.0


def handed_on(predictor: Predictor) -> float:
    return count(predictor, "modelyard_handed_on_total")


def test_a_row_alone_among_others_and_by_the_model_is_answered_alike(served: tuple[Predictor, pd.DataFrame]) -> None:
    predictor, frame = served
    rows = json_rows(frame[:MAX_ROWS], predictor.model.contract)
    together = ask(predictor, *rows)["predictions"]
    assert [ask(predictor, row)["predictions"][0] for row in rows] == together
    assert [ask(predictor, list(row.values()))["predictions"][0] for row in rows[:20]] == together[:20]
    expected = predictor.model.predict(frame[:MAX_ROWS])
    if not predictor.answers.classes:
        assert [prediction["value"] for prediction in together] == expected.tolist()
        return
    assert [prediction["label"] for prediction in together] == expected.tolist()
    probabilities = [list(prediction["probabilities"].values()) for prediction in together]
    scores = predictor.model.scorer(predictor.model.encode(frame[:MAX_ROWS]))
    np.testing.assert_array_equal(np.float32(probabilities), scores)
    assert [tuple(prediction["probabilities"]) for prediction in together[:1]] == [predictor.answers.classes]


def test_natural_rows_are_never_handed_on(served: tuple[Predictor, pd.DataFrame]) -> None:
    predictor, frame = served
    rows = json_rows(frame, predictor.model.contract)
    ask(predictor, *rows)
    ask(predictor, *(list(row.values()) for row in rows), columns=list(predictor.model.contract.names))
    accepted: list[dict[str, Any]] = [
        *({name: None} for name in GOOD),
        {"age": 39.0},
        {"age": -5},
        {"age": 10**12},
        {"age": 1e300},
        {"education-num": 7},
        {"model_config": "never seen"},
        {"model_config": ""},
        {"json": 2.0},
        {"json": 77},
        {"json": 2.5},
        {"json": "30"},
        {"_copy": 1},
        {"seen at": "1950-01-01"},
        {"seen at": "2024-02-01T12:00:00+02:00"},
        {"seen at": "20240201T10"},
    ]
    for change in accepted:
        ask(predictor, {**GOOD, **change})
    ask(predictor, {name: value for name, value in GOOD.items() if name not in ("education-num", "model_config")})
    ask(predictor, GOOD, timing=True)
    assert handed_on(predictor) == 0


@pytest.mark.parametrize(
    ("row", "plain"),
    [
        ({**GOOD, "_copy": " True "}, GOOD),
        ({**GOOD, "_copy": "1"}, GOOD),
        ({**GOOD, "_copy": 1.0}, GOOD),
    ],
)
def test_odd_spellings_are_handed_on_and_answered(
    row: dict[str, Any], plain: dict[str, Any], lenient: Predictor
) -> None:
    before = handed_on(lenient)
    assert json.loads(lenient.answer(json.dumps({"rows": [row]}).encode())) == ask(lenient, plain)
    assert handed_on(lenient) == before + 1


def test_columns_in_another_order_are_handed_on(lenient: Predictor) -> None:
    before = handed_on(lenient)
    assert ask(lenient, list(GOOD.values())[::-1], columns=list(GOOD)[::-1]) == ask(lenient, GOOD)
    assert handed_on(lenient) > before


def test_refused_requests_are_not_counted_as_handed_on(lenient: Predictor) -> None:
    before = handed_on(lenient)
    for change in ({"age": "x"}, {"seen at": "soon"}, {"_copy": 2}):
        with pytest.raises(RequestProblem):
            ask(lenient, {**GOOD, **change})
    assert handed_on(lenient) == before


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"age": None}, "null"),
        ({"age": 400}, "range"),
        ({"age": 1e9}, "range"),
        ({"education-num": -400}, "range"),
        ({"model_config": "new"}, "unknown"),
        ({"json": 3}, "unknown"),
        ({"json": 2.5}, "unknown"),
        ({"seen at": "1999-01-01"}, "range"),
        ({"seen at": None}, "null"),
        ({"_copy": None}, "null"),
    ],
    ids=str,
)
def test_the_contract_accepts_and_counts_or_refuses(
    change: dict[str, Any], kind: str, lenient: Predictor, strict: Predictor
) -> None:
    column = next(iter(change))
    labels = {"column": column, "kind": kind}
    before = count(lenient, "modelyard_contract_violations_total", **labels)
    answer = lenient.answer(json.dumps({"rows": [{**GOOD, **change}, GOOD]}).encode())
    assert len(json.loads(answer)["predictions"]) == 2
    assert count(lenient, "modelyard_contract_violations_total", **labels) == before + 1
    lenient.finish_one(lenient.read(json.dumps({"rows": [{**GOOD, **change}]}).encode()))
    assert count(lenient, "modelyard_contract_violations_total", **labels) == before + 2
    assert ask(strict, GOOD)
    alone, second = ([{**GOOD, **change}], [GOOD, {**GOOD, **change}])
    for rows, finish in ((alone, strict.finish), (alone, strict.finish_one), (second, strict.finish)):
        with pytest.raises(RequestProblem) as refused:
            finish(strict.read(json.dumps({"rows": rows}).encode()))
        details = refused.value.details
        assert (details.status, [error.path for error in details.errors]) == (422, [f"/rows/{len(rows) - 1}/{column}"])
    assert handed_on(strict) == 0


def squares() -> Predictor:
    """A model that is beyond float32 for numbers that are not."""
    node = helper.make_node("Mul", ["X", "X"], ["value"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("X", "value")]
    graph = helper.make_graph([node], "square", ends[:1], ends[1:])
    onnx = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    contract = Contract(columns=(Column(name="x", kind="numeric"),), target=Target(name="y", task="regression"))
    contract = contract.model_copy(update={"example": {"x": 1.0}})
    return Predictor(
        Model(contract, OnnxScorer(onnx.SerializeToString())), MAX_ROWS, PredictionMetrics(CollectorRegistry())
    )


def test_a_model_that_has_no_answer_says_so_for_each_row() -> None:
    predictor = squares()
    assert ask(predictor, {"x": 1e15})["predictions"] == [{"value": float(np.float32(1e15) ** 2)}]
    with pytest.raises(RequestProblem, match="the model has no answer to 1 rows, the first at /rows/0"):
        predictor.finish_one(predictor.read(b'{"rows": [{"x": 1e30}]}'))
    with pytest.raises(RequestProblem) as refused:
        ask(predictor, [1], [1e30], [2], [-1e300])
    assert refused.value.details.status == 422
    assert [error.path for error in refused.value.details.errors] == ["/rows/1", "/rows/3"]


def test_numbers_beyond_float32_are_clipped_alike(served: tuple[Predictor, pd.DataFrame]) -> None:
    for sign in (1, -1):
        assert ask(served[0], {**GOOD, "age": sign * 1e300}) == ask(served[0], {**GOOD, "age": sign * 3.4028235e38})


def test_timing_is_in_the_answer_where_it_was_asked_for(lenient: Predictor) -> None:
    plain, timed = ask(lenient, GOOD), ask(lenient, GOOD, timing=True)
    assert set(timed.pop("timing")) == {"decode_ms", "predict_ms"}
    assert timed == plain
    assert json.loads(lenient.finish_one(lenient.read(json.dumps({"rows": [GOOD], "timing": True}).encode())))["timing"]


def test_rows_and_classes_are_counted(folder: Path) -> None:
    predictor = predictor_of(folder)
    ask(predictor, GOOD, GOOD, GOOD)
    for _ in range(2):
        predictor.finish_one(predictor.read(json.dumps({"rows": [GOOD]}).encode()))
    label = ask(predictor, GOOD)["predictions"][0]["label"]
    assert count(predictor, "modelyard_rows_total") == 7
    assert count(predictor, "modelyard_predictions_total", **{"class": label}) == 7


def test_a_table_is_predicted_as_its_rows_are(lenient: Predictor, strict: Predictor, frame: pd.DataFrame) -> None:
    table = {name: frame[name] for name in lenient.model.contract.names}
    decided = [
        prediction["label"] for prediction in ask(lenient, *json_rows(frame, lenient.model.contract))["predictions"]
    ]
    assert lenient.predict_table(table).decided == decided
    with pytest.raises(ContractViolation, match="column 'age': 1 rows are null"):
        strict.predict_table({name: [None if name == "age" else value] for name, value in GOOD.items()})


def test_a_document_that_is_read_already_is_answered(lenient: Predictor) -> None:
    assert lenient.answer_document({"rows": [GOOD], "columns": None, "timing": False}) == ask(lenient, GOOD)


@pytest.mark.parametrize(
    ("task", "given"), [("regression", []), ("regression", [-1000.0, 40.0, 1000.0]), ("instant", [])]
)
def test_values_are_counted_in_the_bins_of_the_contract_or_in_those_given(
    task: str, given: list[float], tmp_path: Path
) -> None:
    frame = make_table(task)
    folder = save_served(tmp_path / "model", frame)
    predictor = Predictor(load_model(folder), MAX_ROWS, PredictionMetrics(CollectorRegistry()), given)
    rows = json_rows(frame.head(20), predictor.model.contract)
    values = [each["value"] for each in ask(predictor, *rows)["predictions"]]
    for row in rows:
        predictor.finish_one(predictor.read(json.dumps({"rows": [row]}).encode()))
    edges = given or predictor.model.contract.target.bins
    assert len(edges) in (3, 9)
    for edge in edges:
        found = count(predictor, "modelyard_prediction_value_bucket", le=floatToGoString(edge))
        assert found == 2 * sum(value <= edge for value in values)
    assert count(predictor, "modelyard_prediction_value_bucket", le="+Inf") == 40


class Log:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.together: list[Any] = []
        self.each: list[Any] = []

    def add(self, *given: Any) -> None:
        self.together.append(given)

    def add_each(self, *given: Any) -> None:
        self.each.append(given)


@pytest.mark.parametrize("drift", [True, False])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "instant"])
def test_rows_are_counted_and_logged_alike_one_by_one_and_together(task: str, drift: bool, tmp_path: Path) -> None:
    frame = make_table(task)
    folder = save_served(tmp_path / "model", frame)
    found = []
    for one_by_one in (True, False):
        model, metrics, log = load_model(folder), PredictionMetrics(CollectorRegistry()), Log()
        if drift:
            target = model.contract.target
            shares = (0.5,) * (len(target.classes) or len(target.bins) + 1)
            metrics.cells = CellMetrics(metrics.registry, model.contract, shares)
        predictor = Predictor(model, MAX_ROWS, metrics, log=cast("PredictionLog", log))
        rows = json_rows(frame[:50], model.contract)
        for part in [[row] for row in rows] if one_by_one else [rows]:
            request = predictor.read(json.dumps({"rows": part}).encode())
            (predictor.finish_one if one_by_one else predictor.finish)(request)
        metrics.flush()
        metrics.flush()
        figures = [line for line in metrics.expose().decode().splitlines() if not re.search("_created|_cpu_", line)]
        ((_, matrix, scores),) = log.each if one_by_one else log.together
        assert (log.together if one_by_one else log.each) == []
        found.append((figures, matrix.tolist(), scores.reshape(len(rows), -1).tolist()))
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])
    np.testing.assert_array_equal(found[0][2], found[1][2])
