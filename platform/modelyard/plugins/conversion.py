"""For authors of trainers: the compiled form of a pipeline that skl2onnx knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs

from modelyard.errors import ConversionFailed
from modelyard.plugins.base import TableShape
from modelyard.plugins.trainers._onnx import INPUT, OPSETS, constant
from modelyard.utils.sentences import first_line

__all__ = ["convert_sklearn"]


def convert_sklearn(trainer: str, pipeline: Any, shape: TableShape) -> bytes:
    """Converts a fitted scikit-learn pipeline or estimator, for a trainer's ``convert``.

    Args:
        trainer: The trainer's name, for the error.
        pipeline: What was fitted on the encoded matrix.
        shape: What its columns are.

    Returns:
        A serialized model from ``X`` to ``probabilities`` (classes that the fit did not see get 0) or ``value``.

    Raises:
        ConversionFailed: skl2onnx cannot convert it.
    """
    options = {id(pipeline): {"zipmap": False}} if shape.classes else None
    inputs = [(INPUT, FloatTensorType([None, len(shape.features)]))]
    try:
        model = to_onnx(pipeline, initial_types=inputs, options=options, target_opset=OPSETS)
    except Exception as error:  # each converter raises what it likes
        raise ConversionFailed(trainer, first_line(error)) from error
    scores = model.graph.output[-1].name
    graph = select_model_inputs_outputs(model, scores).graph
    for node in graph.node:
        node.output[:] = ["scores" if name == scores else name for name in node.output]
    if shape.classes:
        output, width = "probabilities", shape.classes
        graph.initializer.append(constant("seen", np.eye(width)[np.asarray(pipeline.classes_, dtype=np.int64)]))
        graph.node.append(helper.make_node("MatMul", ["scores", "seen"], [output]))
    else:
        output, width = "value", 1
        graph.node.append(helper.make_node("Identity", ["scores"], [output]))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, [None, width]))
    model.graph.CopyFrom(graph)
    return bytes(model.SerializeToString())
