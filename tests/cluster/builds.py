"""Models that are as good as another one, and worse in one way each: what they do to its graph."""

from __future__ import annotations

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

__all__ = ["as_good", "broken", "shifted", "slow"]

# of the first column, age, from which on it is broken
OLD = 60.0
SIZE = 700


def as_good(graph: GraphProto) -> None:
    """Is another model, but hardly."""
    _intercepts(graph).floats[1] += 1e-3


def shifted(graph: GraphProto) -> None:
    """Prefers the second class much more."""
    _intercepts(graph).floats[1] += 3.0


def broken(graph: GraphProto) -> None:
    """Has no answer to every request in which somebody is old: it looks for the second of one value."""
    _constants(graph, zero_value=np.zeros(1), first=[0], second=[1], axis=[1], old=np.float32(OLD))
    _before_the_scores(
        graph,
        helper.make_node("Slice", ["known", "first", "second", "axis"], ["age"]),
        helper.make_node("Greater", ["age", "old"], ["is_old"]),
        helper.make_node("Cast", ["is_old"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["zero_value", "index"], ["nothing"]),
    )


def slow(graph: GraphProto) -> None:
    """Multiplies large matrices for nothing."""
    _constants(graph, large=np.zeros((SIZE, SIZE)), shape=[1, SIZE])
    steps = [
        helper.make_node("ReduceMean", ["known"], ["mean"], keepdims=1),
        helper.make_node("Expand", ["mean", "shape"], ["row"]),
        helper.make_node("Add", ["row", "large"], ["product_0"]),
    ]
    steps += [helper.make_node("MatMul", [f"product_{step}", "large"], [f"product_{step + 1}"]) for step in range(3)]
    steps.append(helper.make_node("ReduceMean", ["product_3"], ["nothing"], keepdims=1))
    _before_the_scores(graph, *steps)


def _intercepts(graph: GraphProto) -> AttributeProto:
    regressor = next(node for node in graph.node if node.op_type == "LinearRegressor")
    return next(attribute for attribute in regressor.attribute if attribute.name == "intercepts")


def _constants(graph: GraphProto, **values: object) -> None:
    for name, value in values.items():
        array = np.array(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        graph.initializer.append(numpy_helper.from_array(array, name))


def _before_the_scores(graph: GraphProto, *nodes: NodeProto) -> None:
    """Adds what these make, a zero, to the scores."""
    *before, regressor, last = list(graph.node)
    regressor.output[0] = "own"
    del graph.node[:]
    graph.node.extend([*before, regressor, *nodes, helper.make_node("Add", ["own", "nothing"], ["scores"]), last])
