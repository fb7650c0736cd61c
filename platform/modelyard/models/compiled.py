"""Compilation: a fitted pipeline, with its calibration or its target's scale, to one checked ONNX model."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from modelyard.data.scale import TargetScale
from modelyard.errors import ConversionFailed
from modelyard.models.calibration import CLIP, Calibration
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.standardization import StandardizedRegressor, trainer_part
from modelyard.plugins.trainers._onnx import ML, OPSETS, constant
from modelyard.utils.sentences import first_line

__all__ = ["compile_model"]


def compile_model(
    trainer: TabularTrainer, fitted: Fitted, shape: TableShape, calibration: Calibration | None = None
) -> bytes:
    """Converts a fitted pipeline and appends its calibration, or the scale of its standardized target.

    Args:
        trainer: The trainer that fitted it.
        fitted: What it fitted.
        shape: What the columns of the matrix are.
        calibration: What is done to the probabilities, if anything.

    Returns:
        A serialized model from ``X`` to ``probabilities`` or ``value``, for `OnnxScorer`. Its output is float32, or
        float64 where `TargetScale.dtype` says that float32 is too coarse.

    Raises:
        ConversionFailed: The pipeline has no ONNX form, or the trainer's one is not valid.
    """
    serialized = trainer.convert(trainer_part(fitted), shape)
    try:
        onnx.checker.check_model(serialized)
        if calibration is None and not isinstance(fitted.pipeline, StandardizedRegressor):
            return serialized
        model = onnx.load_model_from_string(serialized)
        if calibration is not None:
            _append_calibration(model, calibration)
        else:
            _append_scale(model, fitted.pipeline.scale)
        extended = bytes(model.SerializeToString())
        onnx.checker.check_model(extended)
    except onnx.checker.ValidationError as error:
        raise ConversionFailed(trainer.name, f"convert() returned no valid model: {first_line(error)}") from error
    return extended


def _append_calibration(model: onnx.ModelProto, calibration: Calibration) -> None:
    graph, output, raw = model.graph, "probabilities", "uncalibrated"
    _rename(graph, output, raw)
    constants = {"clip_low": CLIP, "clip_high": 1.0, "scale": calibration.scale, "bias": calibration.bias}
    prefix = "calibration_"
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype=np.float32), prefix + name) for name, value in constants.items()
    )
    steps = [("Clip", ["clip_low", "clip_high"]), ("Log", []), ("Mul", ["scale"]), ("Add", ["bias"])]
    current = raw
    for operator, inputs in steps:
        following = prefix + operator.lower()
        graph.node.append(helper.make_node(operator, [current, *(prefix + name for name in inputs)], [following]))
        current = following
    graph.node.append(helper.make_node("Softmax", [current], [output], axis=1))


def _append_scale(model: onnx.ModelProto, scale: TargetScale) -> None:
    """Restores the target's unit: in float32 with one node, since each costs a row half a microsecond."""
    graph, output, raw = model.graph, "value", "standardized"
    _rename(graph, output, raw)
    element = TensorProto.FLOAT
    if scale.dtype == np.float32:
        if all(opset.domain != ML for opset in model.opset_import):
            model.opset_import.append(helper.make_opsetid(ML, OPSETS[ML]))
        restoring = {"offset": [-scale.mean / scale.std], "scale": [scale.std]}
        graph.node.append(helper.make_node("Scaler", [raw], [output], domain=ML, **restoring))
    else:
        element = TensorProto.DOUBLE
        graph.initializer.append(constant("target_std", scale.std, np.float64))
        graph.initializer.append(constant("target_mean", scale.mean, np.float64))
        graph.node.append(helper.make_node("Cast", [raw], ["standardized_double"], to=element))
        graph.node.append(helper.make_node("Mul", ["standardized_double", "target_std"], ["centered"]))
        graph.node.append(helper.make_node("Add", ["centered", "target_mean"], [output]))
    graph.output[0].type.tensor_type.elem_type = element


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Renames a tensor that nodes compute."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
