"""Models: training, evaluation, compilation, the model folder, batch scoring. Loaded when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.models.artifact import load_model, save_model
    from modelyard.models.card import Card
    from modelyard.models.evaluation import (
        evaluate_classification_model,
        evaluate_model,
        evaluate_regression_model,
        paired_bootstrap,
    )
    from modelyard.models.inference import batch_predict
    from modelyard.models.model import Model
    from modelyard.models.training import evaluate_configuration, hyperparameter_tuning, train_model

__all__ = [
    "Card",
    "Model",
    "batch_predict",
    "evaluate_classification_model",
    "evaluate_configuration",
    "evaluate_model",
    "evaluate_regression_model",
    "hyperparameter_tuning",
    "load_model",
    "paired_bootstrap",
    "save_model",
    "train_model",
]

_HOMES = {
    "Card": "card",
    "Model": "model",
    "batch_predict": "inference",
    "evaluate_classification_model": "evaluation",
    "evaluate_configuration": "training",
    "evaluate_model": "evaluation",
    "evaluate_regression_model": "evaluation",
    "hyperparameter_tuning": "training",
    "load_model": "artifact",
    "paired_bootstrap": "evaluation",
    "save_model": "artifact",
    "train_model": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
