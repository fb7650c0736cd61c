"""Random forests (Breiman, 2001)."""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from modelyard.plugins.registry import register_plugin
from modelyard.plugins.trainers._forests import ForestTrainer

__all__ = ["RandomForest"]


@register_plugin(
    name="random_forest",
    category="model_training",
    description="Random forest of scikit-learn",
    dependencies=["sklearn", "onnx"],
    version="1",
)
class RandomForest(ForestTrainer):
    """Trees on bootstrap samples, with a random choice of columns at each split."""

    classifier = RandomForestClassifier
    regressor = RandomForestRegressor
