from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

from modelyard.data.encoding import Feature
from modelyard.errors import ConversionFailed, ModelError
from modelyard.models.calibration import CalibratedScorer, Calibration
from modelyard.models.compiled import compile_model
from modelyard.models.model import PipelineScorer
from modelyard.models.scorer import OnnxScorer
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.registry import get_trainer
from modelyard.plugins.trainers.linear import Linear


def fit(name: str, multiclass: bool = False) -> tuple[TabularTrainer, Fitted, TableShape, np.ndarray, np.ndarray]:
    X, y = (load_iris if multiclass else load_breast_cancer)(return_X_y=True)
    X = X.astype(np.float32)
    features = tuple(Feature(f"x{i}", f"x{i}", "number") for i in range(X.shape[1]))
    shape = TableShape("multiclass" if multiclass else "binary", 3 if multiclass else 2, features, len(X))
    trainer = get_trainer(name)
    return trainer, trainer.fit(trainer.defaults(shape), X, y, shape=shape, rounds=60), shape, X, y


@pytest.mark.parametrize("multiclass", [False, True])
@pytest.mark.parametrize("name", ["linear", "random_forest", "lightgbm", "hist_gradient_boosting", "xgboost"])
def test_calibration_inside_the_graph_is_that_of_numpy(name: str, multiclass: bool) -> None:
    trainer, fitted, shape, X, y = fit(name, multiclass)
    original = PipelineScorer(fitted.pipeline, shape.classes)
    for calibration in (
        Calibration.fit(y, original(X)),
        Calibration(0.5, (0.0, *[0.7] * (shape.classes - 1))),
        Calibration(3.0, (0.0, *[-0.7] * (shape.classes - 1))),
    ):
        scorer = OnnxScorer(compile_model(trainer, fitted, shape, calibration))
        difference = np.abs(scorer(X) - CalibratedScorer(original, calibration)(X))
        assert difference.max() < 1e-5


def test_scores_have_the_shapes_of_the_task() -> None:
    trainer, fitted, shape, X, _ = fit("linear")
    scorer = OnnxScorer(compile_model(trainer, fitted, shape))
    assert scorer(X).shape == (len(X), 2)
    assert scorer.width == X.shape[1]
    regression = TableShape("regression", 0, shape.features, len(X))
    fitted = trainer.fit({"alpha": 1.0}, X, X[:, 0].astype(float), shape=regression)
    scorer = OnnxScorer(compile_model(trainer, fitted, regression), threads=2)
    assert scorer(X[:1]).shape == (1,)
    assert scorer.session.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize("damaged", [b"", b"no model", b"\x08\x07"])
def test_what_is_no_model_is_refused(damaged: bytes) -> None:
    with pytest.raises(ModelError, match=r"the compiled model cannot be loaded: .*; pack the run again"):
        OnnxScorer(damaged)


def test_other_inputs_and_outputs_are_refused() -> None:
    trainer, fitted, shape, _, _ = fit("linear")
    model = onnx.load_model_from_string(compile_model(trainer, fitted, shape))
    model.graph.output[0].name = "raw"
    with pytest.raises(ModelError, match="has X, raw where the input X"):
        OnnxScorer(model.SerializeToString())


def test_invalid_conversion_names_the_trainer() -> None:
    class Careless(Linear):
        def convert(self, fitted: Fitted, shape: TableShape) -> bytes:  # noqa: ARG002
            return b"nothing"

    _, fitted, shape, _, _ = fit("linear")
    with pytest.raises(ConversionFailed, match="'linear' has no correct ONNX form: convert"):
        compile_model(Careless(), fitted, shape)


def test_the_scorer_needs_neither_scikit_learn_nor_pandas_nor_onnx() -> None:
    code = (
        "import sys, modelyard.models.scorer, modelyard.models.calibration, modelyard.models.latency\n"
        "heavy = {'sklearn', 'pandas', 'onnx', 'scipy', 'lightgbm', 'skl2onnx'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
