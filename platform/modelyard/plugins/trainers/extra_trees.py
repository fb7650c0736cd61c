"""Extremely randomized trees (Geurts, Ernst and Wehenkel, 2006)."""

from __future__ import annotations

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from modelyard.plugins.registry import register_plugin
from modelyard.plugins.trainers._forests import ForestTrainer

__all__ = ["ExtraTrees"]


@register_plugin(
    name="extra_trees",
    category="model_training",
    description="Extremely randomized trees of scikit-learn",
    dependencies=["sklearn", "onnx"],
    version="1",
)
class ExtraTrees(ForestTrainer):
    """Trees on all rows, with random thresholds."""

    classifier = ExtraTreesClassifier
    regressor = ExtraTreesRegressor
