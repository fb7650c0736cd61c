"""From raw scores in an ONNX graph to the one output that every trainer's model has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from modelyard.plugins.base import TableShape

__all__ = ["INPUT", "ML", "OPSETS", "RAW", "Link", "build_model", "constant", "round_down"]

INPUT = "X"
LEAST_ROWS = "least_rows"
RAW = "raw"
ML = "ai.onnx.ml"
OPSETS = {"": 17, ML: 3}
IR_VERSION = 8  # the one that belongs to opset 17; a newer one would only shut out older runtimes

Link = Literal["none", "identity", "sigmoid", "softmax"]


def build_model(
    nodes: Iterable[onnx.NodeProto],
    constants: Iterable[onnx.TensorProto],
    *,
    link: Link,
    shape: TableShape,
    seen: NDArray[Any] | None = None,
    least_rows: int = 1,
) -> bytes:
    """Completes a graph that computes raw scores to a serialized model.

    Args:
        nodes: Compute the tensor `RAW` from `INPUT`: shape (n, 1) for regression, and for two classes (the positive
            one) where the link is identity or sigmoid; else (n, seen classes).
        constants: What they refer to.
        link: From raw scores to probabilities; identity where they are shares that were added up, none where they are
            probabilities, or values.
        shape: Task, number of classes, number of features.
        seen: Codes of the classes that the fit saw; the others get probability 0.
        least_rows: Fewer are scored with empty ones beside them. A runtime multiplies one row by a kernel of its own,
            which adds in another order: with two, the last digit of a row's score is the same in every company.

    Returns:
        A model with the input ``X`` and the output ``probabilities`` or ``value``.
    """
    nodes, constants = list(nodes), list(constants)
    if seen is None:
        output, width = "value", 1
        nodes.append(helper.make_node("Identity", [RAW], [output]))
    else:
        output, width = "probabilities", shape.classes
        more_nodes, more_constants = _probabilities(link, np.asarray(seen, dtype=np.int64), width)
        nodes += more_nodes
        constants += more_constants
    graph = helper.make_graph(
        nodes,
        "modelyard",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, len(shape.features)])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width])],
        constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="modelyard")
    helper.set_model_props(model, {LEAST_ROWS: str(least_rows)})
    return bytes(model.SerializeToString())


def constant(name: str, values: Any, dtype: type = np.float32) -> onnx.TensorProto:
    """Returns an initializer."""
    return numpy_helper.from_array(np.asarray(values, dtype=dtype, order="C"), name)


def round_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rounds float64 thresholds to float32 so that ``x <= threshold`` stays what it was for every float32 x."""
    largest = np.finfo(np.float32).max
    rounded = np.clip(thresholds, -largest, largest).astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)


def _probabilities(
    link: Link, seen: NDArray[np.int64], classes: int
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes from `RAW` to ``probabilities``: two columns from one, the link, the classes that were not seen."""
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    constants: list[onnx.TensorProto] = []
    if link == "identity":
        # a sum of float32 shares can end a little beyond 1
        constants += [constant("least", 0.0), constant("most", 1.0)]
        steps.append(("Clip", ["least", "most"], {}))
    if len(seen) == 2 and link in ("identity", "sigmoid"):
        # softmax over (0, z) is the sigmoid, and keeps the relative precision of small probabilities on both sides
        weights, bias = ([[-1, 1]], [1, 0]) if link == "identity" else ([[0, 1]], [0, 0])
        constants += [constant("pair_weights", weights), constant("pair_bias", bias)]
        steps.append(("Gemm", ["pair_weights", "pair_bias"], {}))
    if link in ("sigmoid", "softmax"):
        steps.append(("Softmax", [], {"axis": 1}))
    if len(seen) < classes:
        constants.append(constant("widen", np.eye(classes)[seen]))
        steps.append(("MatMul", ["widen"], {}))
    nodes, current = [], RAW
    for i, (operator, inputs, attributes) in enumerate(steps or [("Identity", [], {})]):
        following = "probabilities" if i == max(len(steps), 1) - 1 else f"step{i}"
        nodes.append(helper.make_node(operator, [current, *inputs], [following], **attributes))
        current = following
    return nodes, constants
