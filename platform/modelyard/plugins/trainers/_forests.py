"""What random forests and extremely randomized trees share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape
from modelyard.plugins.space import Float, Int, Params, Space
from modelyard.plugins.trainers._trees import Ensemble, Tree, TreeTrainer

__all__ = ["ForestTrainer"]

# more leaves hardly gain on tables, but make a model of hundreds of megabytes
MOST_LEAVES = 2048


class ForestTrainer(TreeTrainer):
    """Median imputation, then a forest of scikit-learn.

    Attributes:
        classifier: Class of the estimator for classification.
        regressor: Class of the estimator for regression.
    """

    extra = "train"
    classifier: ClassVar[type[Any]]
    regressor: ClassVar[type[Any]]

    def space(self, shape: TableShape) -> Space:
        """See the base class; the bounds keep the compiled model small."""
        return {
            "n_estimators": Int(50, 250),
            "max_leaf_nodes": Int(32, MOST_LEAVES, log=True),
            "min_samples_leaf": Int(1, max(2, min(50, shape.rows // 20)), log=True),
            "max_features": Float(0.1, 1.0),
        }

    def defaults(self, shape: TableShape) -> dict[str, Any]:
        """The square root of the columns at each split for classes, all of them for values."""
        share = 1.0 if shape.task == "regression" else max(len(shape.features), 1) ** -0.5
        return {
            "n_estimators": 150,
            "max_leaf_nodes": MOST_LEAVES // 2,
            "min_samples_leaf": 2,
            "max_features": max(share, 0.1),
        }

    def fit(
        self,
        params: Params,
        X: Matrix,
        y: Labels,
        *,
        shape: TableShape,
        seed: int = 0,
        threads: int = 1,
        validation: tuple[Matrix, Labels] | None = None,  # noqa: ARG002  a forest does not stop early
        rounds: int | None = None,  # noqa: ARG002
    ) -> Fitted:
        """See the base class."""
        estimator = self.classifier if shape.classes else self.regressor
        forest = estimator(**{"random_state": seed, "n_jobs": threads, **params})
        # scikit-learn's forests take NaN, but which way it goes cannot be said in ONNX: impute before them
        imputer = SimpleImputer(strategy="median", keep_empty_features=True)
        return Fitted(Pipeline([("imputer", imputer), ("forest", forest)]).fit(X, y))

    def trees(self, fitted: Fitted) -> Ensemble:
        """Folds the imputation into the trees: each node sends NaN where it would send the median."""
        forest = fitted.pipeline["forest"]
        medians = fitted.pipeline["imputer"].statistics_.astype(np.float32)
        count = len(forest.estimators_)
        trees = [_tree(member.tree_, medians, count, hasattr(forest, "classes_")) for member in forest.estimators_]
        return Ensemble(trees, np.zeros(len(trees[0].targets)))


def _tree(tree: Any, medians: Matrix, count: int, classes: bool) -> Tree:
    value = tree.value[:, 0, :] / count
    if classes:
        value /= tree.value[:, 0, :].sum(axis=1, keepdims=True)
        value = value[:, 1:] if value.shape[1] == 2 else value
    return Tree(
        feature=tree.feature,
        threshold=tree.threshold,
        left=tree.children_left,
        right=tree.children_right,
        missing_left=medians[np.maximum(tree.feature, 0)] <= tree.threshold,
        value=value,
        cover=tree.weighted_n_node_samples,
        targets=range(value.shape[1]),
    )
