"""A trainer for workflows: fits the algorithm that the context names."""

from __future__ import annotations

import dataclasses

from modelyard.plugins.base import ComponentResult, ExecutionContext, ModelTrainer
from modelyard.plugins.registry import get_trainer, register_plugin

__all__ = ["SklearnTrainer"]


@register_plugin(
    name="sklearn_trainer",
    category="model_training",
    description="Fits the algorithm that config['model_type'] names, a random forest by default",
    dependencies=["sklearn"],
    version="1",
)
class SklearnTrainer(ModelTrainer):
    """Hands the context on to the trainer that ``config["model_type"]`` names."""

    extra = "train"

    def execute(self, context: ExecutionContext) -> ComponentResult:
        """Fits on ``context.input_data``, a pair ``(X, y)``.

        Raises:
            PluginNotFound: No trainer has the name.
        """
        result = get_trainer(str(context.config.get("model_type", "random_forest"))).execute(context)
        return dataclasses.replace(result, component_name=self.name)
