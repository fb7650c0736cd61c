from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import DATE_PARTS, NULL_CODE, UNKNOWN_CODE, Encoder
from modelyard.models.compiled import compile_model
from modelyard.models.model import PipelineScorer
from modelyard.models.parity import Parity, check_parity, draw_rows
from modelyard.models.scorer import OnnxScorer
from modelyard.plugins.base import Fitted, TableShape
from modelyard.plugins.conversion import convert_sklearn
from modelyard.plugins.registry import get_trainer

CONTRACT = Contract(
    columns=(
        Column(name="count", kind="numeric", integer=True, minimum=0, maximum=1000, bins=(2.0, 10.0)),
        Column(name="ratio", kind="numeric", minimum=-1.5, maximum=2.5),
        Column(name="color", kind="categorical", vocabulary=("red", "green", "blue")),
        Column(name="member", kind="boolean"),
        Column(name="seen", kind="datetime", minimum=0.0, maximum=1e9),
        Column(name="empty", kind="numeric", nullable=True),
    ),
    target=Target(name="y", task="binary", classes=("no", "yes")),
)
NAMES = [feature.name for feature in Encoder(CONTRACT).features]


def label(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    known = np.nan_to_num(rows)
    return known[:, 1] + (known[:, 2] == 3) + 0.01 * (known[:, 0] % 7)


def test_drawn_rows_lie_within_the_contract() -> None:
    rows = draw_rows(CONTRACT, 4000, seed=1)
    assert rows.shape == (4000, 5 + len(DATE_PARTS))
    assert rows.dtype == np.float32
    count, ratio, color, member = rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3]
    known = count[~np.isnan(count)]
    assert np.array_equal(known, np.round(known))
    assert known.min() == 0
    assert 900 < known.max() <= 1000
    assert 0.25 < np.mean(known < 2.5) < 0.45, "each quantile bin is drawn from alike"
    assert np.nanmin(ratio) == -1.5
    assert np.nanmax(ratio) <= 2.5
    assert set(color) == {NULL_CODE, UNKNOWN_CODE, 2, 3, 4}
    assert set(member[~np.isnan(member)]) == {0, 1}
    assert 0 <= np.nanmin(rows[:, NAMES.index("seen.days")]) <= np.nanmax(rows[:, NAMES.index("seen.days")]) <= 11575
    assert np.isnan(rows[:, NAMES.index("empty")]).all()
    for nullable in (count, ratio, member, rows[:, NAMES.index("seen.month")]):
        assert 0.05 < np.isnan(nullable).mean() < 0.15
    np.testing.assert_array_equal(rows, draw_rows(CONTRACT, 4000, seed=1))
    assert not np.array_equal(rows, draw_rows(CONTRACT, 4000, seed=2), equal_nan=True)


def forest() -> tuple[Fitted, TableShape, NDArray[np.float32]]:
    rows = draw_rows(CONTRACT, 600, seed=3)
    shape = TableShape("binary", 2, Encoder(CONTRACT).features, len(rows))
    y = (label(rows) > 0.5).astype(np.int64)
    return get_trainer("random_forest").fit({"n_estimators": 30}, rows, y, shape=shape), shape, rows


def test_a_right_conversion_passes() -> None:
    fitted, shape, rows = forest()
    compiled = OnnxScorer(compile_model(get_trainer("random_forest"), fitted, shape))
    parity = check_parity(PipelineScorer(fitted.pipeline, 2), compiled, rows[:100], CONTRACT, "binary", drawn=500)
    assert parity.passed
    assert (parity.rows, parity.held_out, parity.failures) == (600, 100, 0)
    assert 0 < parity.worst_difference < 1e-5
    assert list(parity.worst_row) == NAMES


def test_a_scaler_before_a_forest_is_caught() -> None:
    """In float32 it moves values across thresholds: the trap for which trees get no arithmetic before them."""
    rng = np.random.default_rng(5)
    column = Column(name="fine", kind="numeric", minimum=0, maximum=2.0, bins=(1.0,))
    contract = CONTRACT.model_copy(update={"columns": (column,)})
    levels = np.float32(1) + np.arange(400, dtype=np.float32) * np.float32(2**-22)
    rows, y = np.repeat(levels, 5)[:, None], np.repeat(rng.integers(0, 2, 400), 5)
    pipeline = make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)).fit(rows, y)
    shape = TableShape("binary", 2, Encoder(contract).features, len(rows))
    compiled = OnnxScorer(convert_sklearn("scaled", pipeline, shape))
    parity = check_parity(PipelineScorer(pipeline, 2), compiled, rows, contract, "binary", drawn=100)
    assert not parity.passed
    assert parity.failures > 20


def test_a_moved_threshold_is_caught() -> None:
    fitted, shape, rows = forest()
    model = onnx.load_model_from_string(compile_model(get_trainer("random_forest"), fitted, shape))
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor")
    values = next(attribute for attribute in node.attribute if attribute.name == "nodes_values")
    values.floats[0] += 0.5
    moved = OnnxScorer(model.SerializeToString())
    parity = check_parity(PipelineScorer(fitted.pipeline, 2), moved, rows, CONTRACT, "binary", drawn=2000)
    assert not parity.passed
    assert parity.worst_difference > 1e-3


def test_swapped_classes_are_caught() -> None:
    fitted, _, rows = forest()
    original = PipelineScorer(fitted.pipeline, 2)
    parity = check_parity(original, lambda matrix: original(matrix)[:, ::-1], rows, CONTRACT, "binary", drawn=10)
    assert not parity.passed
    assert parity.label_failures > 500
    assert parity.worst_difference > 0.9


@pytest.mark.parametrize(
    ("expected", "got", "failures"),
    [
        ([0.5, 0.5], [0.5 - 9e-6, 0.5 + 9e-6], 0),
        ([0.5 + 5e-6, 0.5 - 5e-6], [0.5 - 4e-6, 0.5 + 4e-6], 0),
        ([0.9, 0.1], [0.9 - 1.1e-5, 0.1 + 1.1e-5], 1),
        ([0.9, 0.1], [np.nan, 0.1], 1),
    ],
)
def test_tolerances_of_probabilities(expected: list[float], got: list[float], failures: int) -> None:
    row = draw_rows(CONTRACT, 1)
    compare: Any = [lambda matrix, p=p: np.tile(p, (len(matrix), 1)) for p in (expected, got)]
    assert check_parity(*compare, row, CONTRACT, "binary", drawn=0).failures == failures


def compare_values(expected: NDArray[np.float64], got: NDArray[np.floating]) -> Parity:
    rows = draw_rows(CONTRACT, len(expected))
    return check_parity(lambda _: expected, lambda _: got, rows, CONTRACT, "regression", drawn=0)


@pytest.mark.parametrize("mean", [0.0, 50.0, 1e7, 1.7e9])
@pytest.mark.parametrize(("error", "passed"), [(0.5e-5, True), (2e-5, False)])
def test_tolerances_of_values_are_relative_to_the_spread(mean: float, error: float, passed: bool) -> None:
    values = mean + np.random.default_rng(0).normal(0, 100, 500)
    values[0] += 1e4
    for shift in (np.abs(values - values.mean()) * error, np.full(500, values.std() * error)):
        assert compare_values(values, values + shift).passed is passed


def test_a_float32_answer_may_be_rounded_but_not_where_that_hides_the_target() -> None:
    spread = np.random.default_rng(0).normal(size=500)
    rounded = (values := 5000 + spread).astype(np.float32)
    assert np.abs(rounded - values).max() > 1e-4, "far beyond 1e-5 of the standard deviation"
    assert compare_values(values, rounded).passed
    assert not compare_values(values, rounded + 3 * np.spacing(rounded)).passed
    values = 1e7 + spread
    assert not compare_values(values, values.astype(np.float32)).passed


@pytest.mark.parametrize(("mean", "passed"), [(9000.0, True), (1e7, False)])
def test_answers_of_a_weak_model_may_be_rounded_as_their_target(mean: float, passed: bool) -> None:
    """Of stored answers only the contract says how far the target's values are spread."""
    target = Target(name="y", task="regression", minimum=mean - 3, maximum=mean + 3)
    contract = CONTRACT.model_copy(update={"target": target})
    values = mean + np.random.default_rng(0).normal(0, 0.05, 200)
    rounded = values.astype(np.float32)
    rows = draw_rows(contract, 200)
    parity = check_parity(lambda _: values, lambda _: rounded, rows, contract, "regression", drawn=0)
    assert parity.passed is passed


def test_a_graph_without_standardization_fails_for_a_mean_far_from_0() -> None:
    """So is a model of version 0.1: its float32 leaves lose the digits in which the rows differ."""
    rows, trainer = draw_rows(CONTRACT, 2000, seed=3), get_trainer("lightgbm")
    shape = TableShape("regression", 0, Encoder(CONTRACT).features, len(rows))
    fitted = trainer.fit({}, rows, 1e7 + label(rows).astype(np.float64), shape=shape, rounds=30)
    compiled = OnnxScorer(compile_model(trainer, fitted, shape))
    parity = check_parity(PipelineScorer(fitted.pipeline, 0), compiled, rows, CONTRACT, "regression", drawn=100)
    assert not parity.passed
    assert parity.worst_difference > 0.1


def test_rows_beyond_the_ranges_lie_up_to_one_width_away() -> None:
    rows = draw_rows(CONTRACT, 4000, seed=1, beyond=True)
    count, ratio, days = rows[:, 0], rows[:, 1], rows[:, NAMES.index("seen.days")]
    for values, low, high in ((count, 0, 1000), (ratio, -1.5, 2.5), (days, 0, 11575)):
        known = values[~np.isnan(values)]
        width = high - low
        assert low - width - 1 <= known.min() < low - 0.9 * width
        assert high + 0.9 * width < known.max() <= high + width + 1
        assert 0.4 < np.mean((known < low) | (known > high)) < 0.6
    assert np.array_equal(count[~np.isnan(count)], np.round(count[~np.isnan(count)]))
    assert set(rows[:, 2]) == {NULL_CODE, UNKNOWN_CODE, 2, 3, 4}


@pytest.mark.parametrize(("given", "taken"), [(300, 300), (12_000, 10_000)])
def test_search_rows_are_sampled_without_repetition(given: int, taken: int) -> None:
    search = np.tile(np.arange(given, dtype=np.float32)[:, None] + 1e6, (1, len(NAMES)))
    seen: list[Any] = []

    def score(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        seen.append(matrix)
        return np.ones(len(matrix))

    parity = check_parity(score, score, search[:0], CONTRACT, "regression", search=search, drawn=50)
    assert (parity.rows, parity.held_out, parity.search) == (taken + 50, 0, taken)
    assert len(np.unique(seen[0][:taken, 0])) == taken
    ratio = seen[0][taken:, 1]
    assert np.any((ratio < -1.5) | (ratio > 2.5)), "some of the drawn rows lie beyond the range"


def test_another_shape_fails_every_row() -> None:
    rows = draw_rows(CONTRACT, 5)
    parity = check_parity(
        lambda matrix: np.ones((len(matrix), 2)), lambda m: np.ones(len(m)), rows, CONTRACT, "binary", drawn=5
    )
    assert (parity.passed, parity.failures) == (False, 10)
    assert parity.model_validate_json(parity.model_dump_json()) == parity
