"""What all tree trainers share: fitted trees as flat arrays, their ONNX form, their cost.

A tree's arrays go to ONNX as they are. That is exact for float32 rows, because thresholds are rounded
towards the side that no float32 value crosses, and it takes milliseconds where a walk over Python objects
takes seconds for a large ensemble.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.trainers._onnx import INPUT, ML, RAW, Link, build_model, round_down

__all__ = ["Ensemble", "Tree", "TreeTrainer"]

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Tree:
    """One tree; arrays have one entry a node, the root first.

    Attributes:
        feature: Column that a node asks for.
        threshold: What it compares with.
        left: Node to go to where the comparison holds; negative in a leaf.
        right: Node to go to otherwise.
        missing_left: Whether NaN goes left.
        value: What a leaf adds, shape (nodes, targets).
        cover: Training rows, or their weight, that came by.
        targets: Raw scores that the columns of `value` belong to.
    """

    feature: Ints
    threshold: NDArray[np.floating]
    left: Ints
    right: Ints
    missing_left: NDArray[np.bool_]
    value: NDArray[np.floating]
    cover: NDArray[np.floating]
    targets: Sequence[int] = (0,)

    @property
    def steps(self) -> float:
        """Nodes that a training row visits on average, its leaf included, and the sums it takes part in."""
        inner = self.left >= 0
        return float(self.cover[inner].sum() / max(float(self.cover[0]), 1e-12)) + len(self.targets)


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves are added up.

    Attributes:
        trees: The trees.
        base: What each raw score starts from; its length is their number.
        link: From raw scores to probabilities.
        rule: Whether a value equal to the threshold goes left, or only smaller ones.
    """

    trees: Sequence[Tree]
    base: NDArray[np.floating]
    link: Link = "identity"
    rule: Literal["BRANCH_LEQ", "BRANCH_LT"] = "BRANCH_LEQ"


class TreeTrainer(TabularTrainer):
    """A trainer whose fitted pipeline is an `Ensemble`."""

    @abstractmethod
    def trees(self, fitted: Fitted) -> Ensemble:
        """Returns the fitted trees.

        Raises:
            ConversionFailed: They are of a sort that has no exact form in ONNX.
        """

    def convert(self, fitted: Fitted, shape: TableShape) -> bytes:
        """Returns one TreeEnsembleRegressor and the link to probabilities; see the base class."""
        ensemble = self.trees(fitted)
        seen = fitted.pipeline.classes_ if shape.classes else None
        return build_model([_node(ensemble)], [], link=ensemble.link, shape=shape, seen=seen)

    def cost(self, fitted: Fitted, shape: TableShape) -> float:  # noqa: ARG002  the interface's argument
        """Returns the nodes that one prediction visits on average."""
        return sum(tree.steps for tree in self.trees(fitted).trees)


def _node(ensemble: Ensemble) -> onnx.NodeProto:
    trees = ensemble.trees
    sizes = [len(tree.feature) for tree in trees]
    left = _join(tree.left for tree in trees)
    leaf = left < 0
    threshold = _join(tree.threshold for tree in trees)
    if threshold.dtype == np.float64:
        threshold = round_down(threshold)
    numbers = _join(np.arange(size) for size in sizes)
    owner = np.repeat(np.arange(len(trees)), sizes)
    node = onnx.NodeProto(op_type="TreeEnsembleRegressor", domain=ML, input=[INPUT], output=[RAW])
    _add(node, "n_targets", len(ensemble.base))
    _add(node, "base_values", ensemble.base.astype(np.float32))
    _add(node, "nodes_treeids", owner)
    _add(node, "nodes_nodeids", numbers)
    _add(node, "nodes_featureids", np.where(leaf, 0, _join(tree.feature for tree in trees)))
    _add(node, "nodes_values", np.where(leaf, np.float32(0), threshold))
    _add(node, "nodes_truenodeids", np.where(leaf, 0, left))
    _add(node, "nodes_falsenodeids", np.where(leaf, 0, _join(tree.right for tree in trees)))
    missing = _join(tree.missing_left for tree in trees)
    _add(node, "nodes_missing_value_tracks_true", np.where(leaf, 0, missing).astype(np.int64))
    rule = ensemble.rule.encode()
    _add(node, "nodes_modes", [b"LEAF" if is_leaf else rule for is_leaf in leaf.tolist()])
    columns = np.array([len(tree.targets) for tree in trees])
    per_leaf = np.repeat(columns, sizes)[leaf]
    _add(node, "target_treeids", np.repeat(owner[leaf], per_leaf))
    _add(node, "target_nodeids", np.repeat(numbers[leaf], per_leaf))
    leaves = [int((tree.left < 0).sum()) for tree in trees]
    _add(node, "target_ids", _join(np.tile(tree.targets, count) for tree, count in zip(trees, leaves, strict=True)))
    weights = _join(tree.value[tree.left < 0].ravel() for tree in trees)
    _add(node, "target_weights", weights.astype(np.float32))
    return node


def _join(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(list(parts))


def _add(node: onnx.NodeProto, name: str, value: int | list[bytes] | NDArray[Any]) -> None:
    """Sets an attribute; onnx.helper would look at every one of a million entries."""
    attribute = node.attribute.add(name=name)
    if isinstance(value, int):
        attribute.type, attribute.i = onnx.AttributeProto.INT, value
    elif isinstance(value, list):
        attribute.type = onnx.AttributeProto.STRINGS
        attribute.strings.extend(value)
    elif value.dtype == np.float32:
        attribute.type = onnx.AttributeProto.FLOATS
        attribute.floats.extend(value.tolist())
    else:
        attribute.type = onnx.AttributeProto.INTS
        attribute.ints.extend(value.tolist())
