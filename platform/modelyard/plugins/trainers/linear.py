"""Linear models: logistic regression and ridge regression, both with an L2 penalty."""

from __future__ import annotations

import math
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
from modelyard.plugins.trainers._onnx import INPUT, ML, RAW, build_model, constant

__all__ = ["Linear"]

Nodes = list[onnx.NodeProto]
Constants = list[onnx.TensorProto]

LEAST_ROWS = 2  # see `build_model`


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
        """Returns scaled numbers times weights, plus one looked-up weight a category.

        What a graph costs for one row is its number of nodes, so those that do several steps at once are taken.
        """
        columns, model = fitted.pipeline["columns"], fitted.pipeline["model"]
        weights, intercept = np.atleast_2d(model.coef_).T, np.ravel(model.intercept_)
        if shape.classes and weights.shape[1] == 1:
            # softmax over (0, z) is the sigmoid, and keeps the relative precision of small probabilities on both sides
            weights, intercept = (np.c_[np.zeros_like(part), part] for part in (weights, intercept[:, np.newaxis]))
            intercept = intercept.ravel()
        count, marks = len(columns.numbers), len(columns.marked)
        seen = model.classes_ if shape.classes else None
        if count == len(shape.features) and not marks:
            post = "NONE" if seen is None else "SOFTMAX"
            nodes = _numbers(INPUT, columns, weights, intercept, RAW, post)
            return build_model(nodes, [], link="none", shape=shape, seen=seen, least_rows=LEAST_ROWS)
        nodes, constants, terms = [], [], []
        if count:
            constants.append(constant("numbers", columns.numbers, np.int64))
            nodes.append(make_node("Gather", [INPUT, "numbers"], ["number"], axis=1))
            nodes += _numbers("number", columns, weights[:count], intercept, "from_numbers")
            terms.append("from_numbers")
        else:
            constants.append(constant("intercept", intercept))
            terms.append("intercept")
        if marks:
            nodes += _marks(columns, weights[count : count + marks], constants)
            terms.append("from_marks")
        if len(columns.categories):
            nodes += _categories(columns, weights[count + marks :], constants)
            terms.append("from_categories")
        nodes.append(make_node("Sum", terms, [RAW]))
        return build_model(nodes, constants, link="softmax", shape=shape, seen=seen, least_rows=LEAST_ROWS)

    def cost(self, fitted: Fitted, shape: TableShape) -> float:  # noqa: ARG002  the interface's argument
        """Returns the products of numbers, and one sum a category, for each output."""
        columns, model = fitted.pipeline["columns"], fitted.pipeline["model"]
        terms = len(columns.numbers) + len(columns.marked) + len(columns.categories)
        return float(terms * len(np.atleast_2d(model.coef_)))


def _numbers(
    given: str,
    columns: LinearColumns,
    weights: NDArray[np.float64],
    intercept: NDArray[np.float64],
    output: str,
    post_transform: str = "NONE",
) -> Nodes:
    count, outputs = weights.shape
    scaled = {"offset": columns.mean.tolist(), "scale": (1 / columns.scale.astype(np.float64)).tolist()}
    filled = {"imputed_value_floats": [0.0] * count, "replaced_value_float": math.nan}
    weighted = {"coefficients": weights.T.ravel().tolist(), "intercepts": intercept.tolist(), "targets": outputs}
    return [
        make_node("Scaler", [given], ["scaled"], domain=ML, **scaled),
        make_node("Imputer", ["scaled"], ["filled"], domain=ML, **filled),
        make_node("LinearRegressor", ["filled"], [output], domain=ML, post_transform=post_transform, **weighted),
    ]


def _marks(columns: LinearColumns, weights: NDArray[np.float64], constants: Constants) -> Nodes:
    constants += [constant("marked", columns.numbers[columns.marked], np.int64), constant("mark_weights", weights)]
    return [
        make_node("Gather", [INPUT, "marked"], ["may_be_null"], axis=1),
        make_node("IsNaN", ["may_be_null"], ["null"]),
        make_node("Cast", ["null"], ["mark"], to=TensorProto.FLOAT),
        make_node("MatMul", ["mark", "mark_weights"], ["from_marks"]),
    ]


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
