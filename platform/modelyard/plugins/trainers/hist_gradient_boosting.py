"""Histogram gradient boosting of scikit-learn (after Ke et al., 2017), its splits numeric only."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from modelyard.errors import ConversionFailed
from modelyard.plugins.base import Fitted, TableShape
from modelyard.plugins.registry import register_plugin
from modelyard.plugins.space import Float, Int, Space
from modelyard.plugins.threads import limited_threads
from modelyard.plugins.trainers._boosting import (
    LEARNING_RATE,
    PATIENCE,
    STEP,
    BoostingTrainer,
    Rows,
    default_leaf_rows,
    leaf_rows,
)
from modelyard.plugins.trainers._onnx import Link
from modelyard.plugins.trainers._trees import Ensemble, Tree

__all__ = ["HistGradientBoosting"]

LINKS: dict[str, Link] = {
    "squared_error": "identity",
    "absolute_error": "identity",
    "quantile": "identity",
}


@register_plugin(
    name="hist_gradient_boosting",
    category="model_training",
    description="Histogram gradient boosting of scikit-learn",
    dependencies=["sklearn", "onnx"],
    version="1",
)
class HistGradientBoosting(BoostingTrainer):
    """Leaf-wise boosted trees on binned columns."""

    rounds_key = "max_iter"

    def space(self, shape: TableShape) -> Space:
        """See the base class."""
        return {
            "learning_rate": LEARNING_RATE,
            "max_leaf_nodes": Int(4, 128, log=True),
            "min_samples_leaf": leaf_rows(shape),
            "l2_regularization": Float(1e-3, 100.0, log=True),
            "max_features": Float(0.3, 1.0),
            "max_bins": Int(31, 255),
        }

    def defaults(self, shape: TableShape) -> dict[str, Any]:
        """Those of scikit-learn, with a smaller step and mild sampling of columns."""
        return {
            "learning_rate": STEP,
            "max_leaf_nodes": 31,
            "min_samples_leaf": default_leaf_rows(shape),
            "l2_regularization": 1.0,
            "max_features": 0.8,
            "max_bins": 255,
        }

    def _boost(
        self, params: dict[str, Any], train: Rows, validation: Rows | None, *, classify: bool, threads: int
    ) -> Fitted:
        estimator = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
        settings = {"early_stopping": validation is not None, "n_iter_no_change": PATIENCE}
        model = estimator(**{**settings, **params})
        with limited_threads(threads):
            if validation is None:
                return Fitted(model.fit(*train))
            model.fit(*train, X_val=validation[0], y_val=validation[1])
        rounds = max(int(np.argmax(model.validation_score_)), 1)
        # scikit-learn keeps the rounds of its patience; the refit, and LightGBM, do without them
        del model._predictors[rounds:]
        return Fitted(model, rounds=rounds)

    def trees(self, fitted: Fitted) -> Ensemble:
        """Takes the node arrays of the fitted model."""
        model = fitted.pipeline
        classify = hasattr(model, "classes_")
        link = ("softmax" if len(model.classes_) > 2 else "sigmoid") if classify else LINKS.get(model.loss)
        nodes = [predictor.nodes for each_round in model._predictors for predictor in each_round]
        if link is None or any(node["is_categorical"].any() for node in nodes):
            raise ConversionFailed(self.name, f"the loss {model.loss!r} or a categorical split has no exact ONNX form")
        base = np.ravel(model._baseline_prediction)
        trees = [_tree(node, number % len(base)) for number, node in enumerate(nodes)]
        return Ensemble(trees, base, link)


def _tree(nodes: Any, target: int) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=nodes["value"][:, None],
        cover=nodes["count"].astype(np.float64),
        targets=(target,),
    )
