"""onnxmltools as an oracle: it shares nothing with our own way from boosted trees to ONNX but the runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

from modelyard.data.encoding import Feature
from modelyard.plugins.base import TableShape
from modelyard.plugins.registry import get_trainer
from modelyard.utils.types import Task

CONVERT = {"lightgbm": convert_lightgbm, "xgboost": convert_xgboost}
CLASSES: dict[Task, int] = {"binary": 2, "multiclass": 3, "regression": 0}
ROWS, COLUMNS = 500, 4


def rows(seed: int) -> NDArray[np.float32]:
    """Rows with nulls in every column."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    X[rng.random((ROWS, COLUMNS)) < 0.2] = np.nan
    return X


def answers(model: bytes, X: NDArray[np.float32]) -> NDArray[Any]:
    """Scores of a compiled model: its last output, as both converters order them."""
    session = onnxruntime.InferenceSession(model)
    scores: NDArray[Any] = session.run([session.get_outputs()[-1].name], {"X": X})[0]
    return scores


@pytest.mark.parametrize("name", CONVERT)
@pytest.mark.parametrize("task", CLASSES)
def test_agrees_with_onnxmltools_on_rows_with_nulls(name: str, task: Task) -> None:
    X, unseen = rows(0), rows(1)
    X[:, 0] = np.nan_to_num(X[:, 0])  # what a null does where training had none is a rule of its own
    signal = X[:, 0] + np.where(np.isnan(X[:, 1]), 2, np.abs(X[:, 1])) + np.nan_to_num(X[:, 2]) * X[:, 0]
    y: NDArray[Any] = signal.astype(np.float64)
    if task != "regression":
        y = np.digitize(y, np.quantile(y, [0.5] if task == "binary" else [0.3, 0.7]))
    features = tuple(Feature(f"x{i}", f"x{i}", "number") for i in range(COLUMNS))
    trainer, shape = get_trainer(name), TableShape(task, CLASSES[task], features, ROWS)
    fitted = trainer.fit(trainer.defaults(shape), X, y, shape=shape, rounds=40)
    own = answers(trainer.convert(fitted, shape), unseen)

    options: dict[str, Any] = {"zipmap": False} if name == "lightgbm" else {}
    inputs = [("X", FloatTensorType([None, COLUMNS]))]
    converted = CONVERT[name](fitted.pipeline, initial_types=inputs, **options)
    oracle = answers(converted.SerializeToString(), unseen)

    assert own.shape == oracle.shape
    assert np.ptp(own[:, 0]) > 0.5
    np.testing.assert_allclose(own, oracle, atol=1e-5)
