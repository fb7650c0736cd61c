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
from modelyard.plugins.standardization import fit_standardized
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


FAR = [(1e7, 1.0, np.float64), (1.7e9, 1000.0, np.float64), (9000.0, 1.0, np.float32), (0.0, 1e-3, np.float32)]
TRAINERS = ["linear", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost"]


def signal(rows: int = 2000) -> tuple[np.ndarray, np.ndarray, TableShape]:
    """Rows and a target of mean 0 and standard deviation 1 that is mostly known from them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4)).astype(np.float32)
    y = X[:, 0] + 0.5 * np.sin(3 * X[:, 1]) + rng.normal(0, 0.3, rows)
    features = tuple(Feature(f"x{i}", f"x{i}", "number") for i in range(4))
    return X, (y - y.mean()) / y.std(), TableShape("regression", 0, features, rows)


def r2(y: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - np.mean((y - predicted.astype(np.float64)) ** 2) / y.var())


@pytest.mark.parametrize(("mean", "std", "dtype"), FAR)
@pytest.mark.parametrize("name", TRAINERS)
def test_a_compiled_regression_is_as_good_as_the_fitted_one(name: str, mean: float, std: float, dtype: type) -> None:
    X, z, shape = signal()
    y, trainer = mean + std * z, get_trainer(name)
    params = {"n_estimators": 30} if name in ("random_forest", "extra_trees") else {}
    fitted = fit_standardized(trainer, params, X[:1500], y[:1500], shape=shape, rounds=60)
    original, compiled = PipelineScorer(fitted.pipeline, 0), OnnxScorer(compile_model(trainer, fitted, shape))
    assert original.dtype == compiled.dtype == compiled(X).dtype == dtype
    assert r2(y[1500:], original(X[1500:])) > 0.7
    assert r2(y[1500:], compiled(X[1500:])) == pytest.approx(r2(y[1500:], original(X[1500:])), abs=1e-4)
    alone = np.concatenate([compiled(row[np.newaxis]) for row in X[:20]])
    np.testing.assert_array_equal(alone, compiled(X[:20]))


@pytest.mark.parametrize("mean", [100.0, 1e7])
def test_the_scale_is_appended_to_any_graph(mean: float) -> None:
    """An author's graph may know nothing of ONNX's machine learning operators, and use its output's name inside."""
    X, z, shape = signal()
    weights = np.linalg.lstsq(X, z, rcond=None)[0]

    class Plain(Linear):
        def convert(self, fitted: Fitted, shape: TableShape) -> bytes:  # noqa: ARG002
            assert not hasattr(fitted.pipeline, "scale"), "a trainer converts what it fitted itself"
            nodes = [
                onnx.helper.make_node("MatMul", ["X", "weights"], ["half"]),
                onnx.helper.make_node("Add", ["half", "zero"], ["value"]),
            ]
            given = onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, 4])
            made = onnx.helper.make_tensor_value_info("value", onnx.TensorProto.FLOAT, [None, 1])
            constants = {"weights": weights[:, None], "zero": np.zeros(1)}
            initial = [onnx.numpy_helper.from_array(np.float32(each), name) for name, each in constants.items()]
            graph = onnx.helper.make_graph(nodes, "plain", [given], [made], initial)
            opsets = [onnx.helper.make_opsetid("", 17)]
            return bytes(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())

    y = mean + 2 * z
    fitted = fit_standardized(Plain(), {}, X, y, shape=shape)
    scorer = OnnxScorer(compile_model(Plain(), fitted, shape))
    np.testing.assert_allclose(scorer(X), mean + 2 * (X @ weights), atol=1e-4)


def test_probabilities_in_double_are_refused() -> None:
    trainer, fitted, shape, _, _ = fit("linear")
    model = onnx.load_model_from_string(compile_model(trainer, fitted, shape))
    for node in model.graph.node:
        node.output[:] = ["single" if name == "probabilities" else name for name in node.output]
    cast = onnx.helper.make_node("Cast", ["single"], ["probabilities"], to=onnx.TensorProto.DOUBLE)
    model.graph.node.append(cast)
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    with pytest.raises(ModelError, match=r"output probabilities is a tensor\(double\) where a tensor\(float\)"):
        OnnxScorer(model.SerializeToString())


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
