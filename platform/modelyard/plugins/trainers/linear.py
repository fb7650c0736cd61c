"""Linear models: logistic regression and ridge regression, both with an L2 penalty."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.helper import make_node
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape, TabularTrainer
from modelyard.plugins.registry import register_plugin
from modelyard.plugins.space import Float, Params, Space
from modelyard.plugins.threads import limited_threads
from modelyard.plugins.trainers._columns import LinearColumns
from modelyard.plugins.trainers._onnx import INPUT, RAW, Link, build_model, constant

__all__ = ["Linear"]

Nodes = list[onnx.NodeProto]
Constants = list[onnx.TensorProto]


@register_plugin(
    name="linear",
    category="model_training",
    description="Logistic or ridge regression of scikit-learn",
    dependencies=["sklearn", "onnx"],
    version="1",
)
class Linear(TabularTrainer):
    """Scaled numbers and one-hot categories, one weight each."""

    extra = "train"

    def space(self, shape: TableShape) -> Space:
        """The strength of the penalty, by the name that each estimator has for it."""
        return {"C": Float(1e-4, 1e2, log=True)} if shape.classes else {"alpha": Float(1e-3, 1e4, log=True)}

    def defaults(self, shape: TableShape) -> dict[str, Any]:
        """Those of scikit-learn."""
        return {"C": 1.0} if shape.classes else {"alpha": 1.0}

    def fit(
        self,
        params: Params,
        X: Matrix,
        y: Labels,
        *,
        shape: TableShape,
        seed: int = 0,
        threads: int = 1,
        validation: tuple[Matrix, Labels] | None = None,  # noqa: ARG002  there are no rounds
        rounds: int | None = None,  # noqa: ARG002
    ) -> Fitted:
        """See the base class."""
        estimator = LogisticRegression if shape.classes else Ridge
        model = estimator(**{"max_iter": 1000, "random_state": seed, **params})
        pipeline = Pipeline([("columns", LinearColumns(shape.features)), ("model", model)])
        with limited_threads(threads), warnings.catch_warnings():
            # separable classes with a weak penalty: the weights still grow, the predictions have settled
            warnings.simplefilter("ignore", ConvergenceWarning)
            return Fitted(pipeline.fit(X, y))

    def convert(self, fitted: Fitted, shape: TableShape) -> bytes:
        """Returns scaled numbers times weights, plus one looked-up weight a category."""
        columns, model = fitted.pipeline["columns"], fitted.pipeline["model"]
        weights = np.atleast_2d(model.coef_).T
        outputs = weights.shape[1]
        count, marks = len(columns.numbers), len(columns.marked)
        terms: list[str] = ["intercept"]
        nodes: Nodes = []
        constants = [constant("intercept", np.ravel(model.intercept_))]
        if count:
            nodes += _numbers(columns, weights[: count + marks], constants)
            terms += ["from_numbers", "from_marks"] if marks else ["from_numbers"]
        if len(columns.categories):
            nodes += _categories(columns, weights[count + marks :], constants)
            terms.append("from_categories")
        nodes.append(make_node("Sum", terms, [RAW]))
        link: Link = "sigmoid" if outputs == 1 else "softmax"
        seen = model.classes_ if shape.classes else None
        return build_model(nodes, constants, link=link, shape=shape, seen=seen)

    def cost(self, fitted: Fitted, shape: TableShape) -> float:  # noqa: ARG002  the interface's argument
        """Returns the products of numbers, and one sum a category, for each output."""
        columns, model = fitted.pipeline["columns"], fitted.pipeline["model"]
        terms = len(columns.numbers) + len(columns.marked) + len(columns.categories)
        return float(terms * len(np.atleast_2d(model.coef_)))


def _numbers(columns: LinearColumns, weights: NDArray[np.float64], constants: Constants) -> Nodes:
    count = len(columns.numbers)
    constants += [
        constant("numbers", columns.numbers, np.int64),
        constant("mean", columns.mean),
        constant("scale", columns.scale),
        constant("zero", 0.0),
        constant("number_weights", weights[:count]),
    ]
    nodes = [
        make_node("Gather", [INPUT, "numbers"], ["number"], axis=1),
        make_node("IsNaN", ["number"], ["null"]),
        make_node("Sub", ["number", "mean"], ["centered"]),
        make_node("Div", ["centered", "scale"], ["scaled"]),
        make_node("Where", ["null", "zero", "scaled"], ["filled"]),
        make_node("MatMul", ["filled", "number_weights"], ["from_numbers"]),
    ]
    if len(columns.marked):
        constants += [constant("marked", columns.marked, np.int64), constant("mark_weights", weights[count:])]
        nodes += [
            make_node("Gather", ["null", "marked"], ["marks"], axis=1),
            make_node("Cast", ["marks"], ["mark"], to=TensorProto.FLOAT),
            make_node("MatMul", ["mark", "mark_weights"], ["from_marks"]),
        ]
    return nodes


def _categories(columns: LinearColumns, weights: NDArray[np.float64], constants: Constants) -> Nodes:
    """One table of weights, the codes of all categories below each other."""
    starts = np.cumsum([0, *columns.widths[:-1]])
    rows = [start + codes for start, codes in zip(starts, columns.columns, strict=True)]
    constants += [
        constant("categories", columns.categories, np.int64),
        constant("first_rows", np.cumsum([0, *map(len, columns.columns[:-1])]), np.int64),
        constant("category_weights", weights[np.concatenate(rows)]),
        constant("over_categories", [1], np.int64),
    ]
    return [
        make_node("Gather", [INPUT, "categories"], ["category"], axis=1),
        make_node("Cast", ["category"], ["code"], to=TensorProto.INT64),
        make_node("Add", ["code", "first_rows"], ["row"]),
        make_node("Gather", ["category_weights", "row"], ["each_weight"], axis=0),
        make_node("ReduceSum", ["each_weight", "over_categories"], ["from_categories"], keepdims=0),
    ]
