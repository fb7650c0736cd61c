"""Which model a service serves, and what its card says of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from modelyard.config.models import Settings
from modelyard.errors import ModelError, ModelNotFound
from modelyard.models.artifact import load_model, read_card
from modelyard.models.card import Card
from modelyard.models.model import Model
from modelyard.registry.models import champion

__all__ = ["MODEL_VARIABLE", "ServedModel", "find_folder", "load_served"]

MODEL_VARIABLE = "MODELYARD_MODEL"


@dataclass(frozen=True)
class ServedModel:
    """A loaded model with its card.

    Attributes:
        model: Contract, encoding and scorer.
        card: What is known of it; none for a model that never was in a folder.
    """

    model: Model
    card: Card | None = None


def find_folder(settings: Settings) -> Path:
    """Returns the folder in the environment variable MODELYARD_MODEL, or the registry's champion.

    Raises:
        ModelError: There is neither.
    """
    named = os.environ.get(MODEL_VARIABLE)
    if named:
        return Path(named)
    try:
        return champion(settings)
    except ModelNotFound:
        raise ModelError(
            f"there is no champion to serve in {settings.storage.models}; "
            f"make one with `modelyard run`, or set {MODEL_VARIABLE} to a model's folder"
        ) from None


def load_served(folder: str | os.PathLike[str], settings: Settings) -> ServedModel:
    """Loads a model's folder with its card.

    Raises:
        ModelError: The folder is not there, was damaged, or needs a pickle that the settings do not allow.
    """
    model = load_model(folder, allow_pickle=settings.model.serve_original, picklable=False)
    return ServedModel(model, read_card(folder))
