"""Compilation: a fitted pipeline, its calibration included, to one checked ONNX model."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from modelyard.errors import ConversionFailed
from modelyard.models.calibration import CLIP, Calibration
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.utils.sentences import first_line

__all__ = ["compile_model"]


def compile_model(
    trainer: TabularTrainer, fitted: Fitted, shape: TableShape, calibration: Calibration | None = None
) -> bytes:
    """Converts a fitted pipeline and appends its calibration.

    Args:
        trainer: The trainer that fitted it.
        fitted: What it fitted.
        shape: What the columns of the matrix are.
        calibration: What is done to the probabilities, if anything.

    Returns:
        A serialized model from ``X`` to ``probabilities`` or ``value``, for `OnnxScorer`.

    Raises:
        ConversionFailed: The pipeline has no ONNX form, or the trainer's one is not valid.
    """
    model = trainer.convert(fitted, shape)
    try:
        onnx.checker.check_model(model)
        if calibration is not None:
            model = _append(model, calibration)
            onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ConversionFailed(trainer.name, f"convert() returned no valid model: {first_line(error)}") from error
    return model


def _append(serialized: bytes, calibration: Calibration) -> bytes:
    """Renames what the model gives and computes its output from that."""
    model = onnx.load_model_from_string(serialized)
    graph, output, raw = model.graph, "probabilities", "uncalibrated"
    for node in graph.node:
        node.output[:] = [raw if name == output else name for name in node.output]
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
    return bytes(model.SerializeToString())
