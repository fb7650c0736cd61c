"""Gradient boosting of XGBoost (Chen and Guestrin, 2016); its library comes with the extra ``boost``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ConversionFailed
from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape
from modelyard.plugins.registry import register_plugin
from modelyard.plugins.space import Float, Int, Space
from modelyard.plugins.trainers._boosting import (
    LEARNING_RATE,
    PATIENCE,
    SAMPLING,
    SAMPLING_DEFAULTS,
    STEP,
    BoostingTrainer,
    Rows,
)
from modelyard.plugins.trainers._onnx import Link
from modelyard.plugins.trainers._trees import Ensemble, Tree

if TYPE_CHECKING:
    import xgboost

__all__ = ["CodedClassifier", "XgBoost"]

LINKS: dict[str, Link] = {
    "binary:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "reg:quantileerror": "identity",
}


class CodedClassifier:
    """An XGBoost classifier for class codes with gaps, which XGBoost itself refuses.

    Attributes:
        model: The classifier, fitted on codes 0..k-1.
        classes_: The codes that they stand for, shape (k,).
    """

    def __init__(self, model: xgboost.XGBClassifier, classes: NDArray[np.int64]) -> None:
        self.model = model
        self.classes_ = classes

    def predict_proba(self, X: Matrix) -> NDArray[np.float32]:
        """Returns probabilities, shape (n, k)."""
        probabilities: NDArray[np.float32] = self.model.predict_proba(X)
        return probabilities

    def predict(self, X: Matrix) -> NDArray[np.int64]:
        """Returns class codes, shape (n,)."""
        codes: NDArray[np.int64] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return codes


@register_plugin(
    name="xgboost",
    category="model_training",
    description="Gradient boosting of XGBoost",
    dependencies=["xgboost", "sklearn", "onnx"],
    version="1",
)
class XgBoost(BoostingTrainer):
    """Depth-wise boosted trees on binned columns."""

    extra = "boost"
    rounds_key = "n_estimators"

    def space(self, shape: TableShape) -> Space:  # noqa: ARG002  the same for every table
        """See the base class."""
        return {
            "learning_rate": LEARNING_RATE,
            "max_depth": Int(2, 10),
            "min_child_weight": Float(0.1, 30.0, log=True),
            **SAMPLING,
        }

    def defaults(self, shape: TableShape) -> dict[str, Any]:  # noqa: ARG002  the same for every table
        """XGBoost's own, with a smaller step and mild sampling."""
        return {
            "learning_rate": STEP,
            "max_depth": 6,
            "min_child_weight": 1.0,
            **SAMPLING_DEFAULTS,
        }

    def _boost(
        self, params: dict[str, Any], train: Rows, validation: Rows | None, *, classify: bool, threads: int
    ) -> Fitted:
        import xgboost

        X, y = train
        classes = np.unique(y) if classify else None
        settings = {"n_jobs": threads, "verbosity": 0, "tree_method": "hist"}
        if validation is not None:
            settings["early_stopping_rounds"] = PATIENCE
        estimator = xgboost.XGBRegressor if classes is None else xgboost.XGBClassifier
        model = estimator(**{**settings, **params})
        held_out = None if validation is None else [(validation[0], _codes(validation[1], classes))]
        model.fit(X, _codes(y, classes), eval_set=held_out, verbose=False)
        pipeline = model
        if classes is not None and classes[-1] != len(classes) - 1:
            pipeline = CodedClassifier(model, classes)
        return Fitted(pipeline, rounds=None if validation is None else int(model.best_iteration) + 1)

    def trees(self, fitted: Fitted) -> Ensemble:
        """Reads the model's JSON, up to the best round."""
        model = fitted.pipeline.model if isinstance(fitted.pipeline, CodedClassifier) else fitted.pipeline
        learner = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]
        objective, booster = learner["objective"]["name"], learner["gradient_booster"]
        link = LINKS.get(objective)
        if link is None or booster["name"] != "gbtree":
            raise ConversionFailed(self.name, f"{booster['name']} with {objective!r} has no exact ONNX form")
        base = np.array(json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float64).ravel()
        if link == "sigmoid":
            base = np.log(base / (1 - base))
        parts = booster["model"]
        rounds = getattr(model, "best_iteration", None) if model.early_stopping_rounds else None
        last = parts["iteration_indptr"][-1 if rounds is None else rounds + 1]
        trees = [_tree(*pair) for pair in zip(parts["trees"][:last], parts["tree_info"][:last], strict=True)]
        return Ensemble(trees, base, link, rule="BRANCH_LT")


def _codes(y: Labels, classes: NDArray[Any] | None) -> Labels:
    return y if classes is None else np.searchsorted(classes, y)


def _tree(fields: dict[str, Any], target: int) -> Tree:
    values = np.array(fields["split_conditions"], dtype=np.float32)
    return Tree(
        feature=np.array(fields["split_indices"], dtype=np.int64),
        threshold=values,
        left=np.array(fields["left_children"], dtype=np.int64),
        right=np.array(fields["right_children"], dtype=np.int64),
        missing_left=np.array(fields["default_left"], dtype=bool),
        value=values[:, None],
        cover=np.array(fields["sum_hessian"], dtype=np.float64),
        targets=(target,),
    )
