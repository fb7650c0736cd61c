from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from modelyard.data.encoding import Feature
from modelyard.errors import ConversionFailed
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.registry import get_trainer
from modelyard.plugins.trainers._columns import LinearColumns
from modelyard.plugins.trainers._onnx import round_down

FORESTS = ["random_forest", "extra_trees"]
BOOSTING = ["hist_gradient_boosting", "lightgbm", "xgboost"]


def numbers(count: int, task: Any = "regression", rows: int = 400) -> TableShape:
    features = tuple(Feature(f"x{i}", f"x{i}", "number") for i in range(count))
    return TableShape(task, {"regression": 0, "binary": 2, "multiclass": 3}[task], features, rows)


def compiled(trainer: TabularTrainer, fitted: Fitted, shape: TableShape, X: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(trainer.convert(fitted, shape))
    scores: NDArray[np.float32] = session.run(None, {"X": X})[0]
    return scores


@pytest.mark.parametrize("name", [*FORESTS, *BOOSTING])
def test_thresholds_between_neighboring_floats_are_exact(name: str) -> None:
    # the midpoint of neighbors is no float32: rounded to the nearest it would fall onto one of them
    levels = np.float32(2**24) + 2 * np.arange(40, dtype=np.float32)
    X = np.repeat(levels, 40)[:, None]
    y = np.repeat(np.random.default_rng(0).normal(size=40) * 100, 40)
    trainer, shape = get_trainer(name), numbers(1, rows=len(X))
    fitted = trainer.fit(trainer.defaults(shape), X, y, shape=shape, rounds=100)
    expected = fitted.pipeline.predict(levels[:, None])
    assert np.ptp(expected) > 50
    got = compiled(trainer, fitted, shape, levels[:, None]).ravel()
    np.testing.assert_allclose(got, expected, atol=1e-5 * float(y.std()))


def test_rounding_down_keeps_every_comparison() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1000).astype(np.float32)
    near = [x.astype(np.float64), x + 1e-12, x - 1e-12, np.full(1000, np.inf), np.full(1000, 1e300)]
    for thresholds in near:
        np.testing.assert_array_equal(x <= round_down(thresholds), x <= thresholds)


@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_probabilities_of_a_compiled_forest_stay_between_0_and_1(name: str, task: str) -> None:
    # separable classes: the shares of all trees add up to 1, and float32 a little beyond
    rng = np.random.default_rng(0)
    shape = numbers(3, task, rows=600)
    y = rng.integers(0, shape.classes, 600)
    X = (rng.normal(size=(600, 3)) + 20 * y[:, None]).astype(np.float32)
    trainer = get_trainer(name)
    fitted = trainer.fit({"n_estimators": 170}, X, y, shape=shape)
    # a row alone is added up in another order than many
    session = onnxruntime.InferenceSession(trainer.convert(fitted, shape))
    got = np.concatenate([session.run(None, {"X": X[i : i + 1]})[0] for i in range(100)])
    assert got.min() >= 0
    assert got.max() <= 1
    np.testing.assert_allclose(got, fitted.pipeline.predict_proba(X[:100]), atol=5e-6)


@pytest.mark.parametrize("name", BOOSTING)
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_early_stopping_gives_the_model_of_its_rounds(name: str, task: str) -> None:
    """The folds' scores must belong to the number of rounds that the refit takes over."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 4)).astype(np.float32)
    y = X[:, 0] * 3 + rng.normal(size=400)
    y = y if task == "regression" else np.digitize(y, [-1.5, 1.5])
    trainer, shape = get_trainer(name), numbers(4, task)
    params = {**trainer.defaults(shape), "learning_rate": 0.3}
    stopped = trainer.fit(params, X[:300], y[:300], shape=shape, validation=(X[300:], y[300:]))
    assert stopped.rounds is not None
    assert 1 <= stopped.rounds < 200
    fixed = trainer.fit(params, X[:300], y[:300], shape=shape, rounds=stopped.rounds)
    method = "predict" if task == "regression" else "predict_proba"
    np.testing.assert_allclose(
        getattr(stopped.pipeline, method)(X), getattr(fixed.pipeline, method)(X), rtol=1e-5, atol=1e-6
    )
    assert trainer.cost(stopped, shape) == pytest.approx(trainer.cost(fixed, shape), rel=1e-6)


def test_rounds_of_lightgbm_without_a_split_cost_nothing() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 4)).astype(np.float32)
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(np.int64)
    trainer, shape = get_trainer("lightgbm"), numbers(4, "binary", rows=200)
    params = {**trainer.defaults(shape), "extra_trees": True, "reg_alpha": 8.0, "num_leaves": 4}
    validation = (X[150:], y[150:])
    fitted = trainer.fit(params, X[:150], y[:150], shape=shape, validation=validation)
    booster = fitted.pipeline.booster_
    assert fitted.rounds is not None
    assert 0 < booster.current_iteration() < fitted.rounds / 2
    assert 0 < trainer.cost(fitted, shape) <= 3 * booster.current_iteration()


@pytest.mark.parametrize("name", FORESTS)
def test_a_forest_sends_null_where_the_median_goes(name: str) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(300, 3)).astype(np.float32)
    X[rng.random(X.shape) < 0.2] = np.nan
    trainer, shape = get_trainer(name), numbers(3)
    fitted = trainer.fit({"n_estimators": 20}, X, np.nan_to_num(X[:, 0]), shape=shape)
    medians = np.nanmedian(X, axis=0).astype(np.float32)
    nulls = np.full((1, 3), np.nan, dtype=np.float32)
    assert compiled(trainer, fitted, shape, nulls) == compiled(trainer, fitted, shape, medians[None])


@pytest.mark.parametrize(
    ("name", "task", "params"),
    [
        ("lightgbm", "regression", {"objective": "poisson"}),
        ("lightgbm", "regression", {"boosting_type": "rf", "subsample": 0.5}),
        ("lightgbm", "regression", {"zero_as_missing": True}),
        ("lightgbm", "regression", {"linear_tree": True}),
        ("hist_gradient_boosting", "regression", {"loss": "poisson"}),
        ("hist_gradient_boosting", "binary", {"categorical_features": [1]}),
        ("xgboost", "regression", {"objective": "count:poisson"}),
        ("xgboost", "binary", {"booster": "dart"}),
    ],
)
def test_what_onnx_cannot_express_is_refused(name: str, task: str, params: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([rng.normal(size=300), rng.integers(0, 9, 300)]).astype(np.float32)
    y = np.sin(X[:, 1] * 2) + 2
    y = (y > 2).astype(np.int64) if task == "binary" else y
    trainer, shape = get_trainer(name), numbers(2, task)
    fitted = trainer.fit(params, X, y, shape=shape, rounds=5)
    with pytest.raises(ConversionFailed, match=f"'{name}'"):
        trainer.convert(fitted, shape)


def test_categorical_splits_of_lightgbm_are_refused() -> None:
    X = np.random.default_rng(3).integers(0, 9, (300, 1)).astype(np.float32)
    model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1)
    model.fit(X, np.sin(X[:, 0] * 2), categorical_feature=[0])
    with pytest.raises(ConversionFailed, match="categorical splits"):
        get_trainer("lightgbm").convert(Fitted(model), numbers(1))


def test_linear_columns_group_what_is_rare_or_unseen() -> None:
    features = (Feature("n", "n", "number"), Feature("c", "c", "category", 8))
    codes = np.array([2] * 30 + [3] * 20 + [4] * 3 + [0] * 12, dtype=np.float32)
    values = np.linspace(0, 1, len(codes), dtype=np.float32)
    values[:5] = np.nan
    columns = LinearColumns(features, min_rows=10).fit(np.column_stack([values, codes]))
    rows = np.array([[0.5, 2], [np.nan, 3], [0.5, 0], [0.5, 4], [0.5, 1], [0.5, 7]], dtype=np.float32)
    made = columns.transform(rows)
    assert made.shape == (6, 1 + 1 + 4)
    np.testing.assert_array_equal(made[:, 1], [0, 1, 0, 0, 0, 0])
    assert made[1, 0] == 0
    np.testing.assert_array_equal(made[:, 2:].argmax(axis=1), [1, 2, 3, 0, 0, 0])
    few = LinearColumns(features, min_rows=10, most=1).fit(np.column_stack([values, codes]))
    assert few.transform(rows).shape == (6, 1 + 1 + 2)


def test_linear_converges_in_silence_on_separable_classes() -> None:
    X = np.linspace(-1, 1, 100, dtype=np.float32)[:, None]
    trainer, shape = get_trainer("linear"), numbers(1, "binary")
    fitted = trainer.fit({"C": 1e2, "max_iter": 2}, X, (X[:, 0] > 0).astype(np.int64), shape=shape)
    assert fitted.pipeline.predict(X[[0, -1]]).tolist() == [0, 1]


@pytest.mark.parametrize("name", ["linear", "lightgbm", "hist_gradient_boosting"])
def test_several_threads_are_accepted(name: str) -> None:
    X = np.random.default_rng(4).normal(size=(200, 2)).astype(np.float32)
    trainer, shape = get_trainer(name), numbers(2)
    for threads in (2, -1):
        fitted = trainer.fit(trainer.defaults(shape), X, X[:, 0].astype(float), shape=shape, threads=threads, rounds=5)
        assert np.isfinite(fitted.pipeline.predict(X)).all()
