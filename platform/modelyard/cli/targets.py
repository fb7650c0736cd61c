"""The model that a command is about: by its folder, its run, its bento, or as the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import RunError

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.config.models import DataSettings

__all__ = ["is_bento", "model_folder", "reading_of"]


def is_bento(wanted: str | None) -> bool:
    """Whether an argument is a bento's tag, NAME:VERSION."""
    return wanted is not None and ":" in wanted and not Path(wanted).exists()


def model_folder(wanted: str | None, settings: Settings) -> Path:
    """Returns a model's folder.

    Args:
        wanted: A model's folder or a run's name; none: the champion.
        settings: Say where runs and models are.

    Raises:
        ModelNotFound: There is no champion.
        RunNotFound: The argument is neither a folder nor a run.
        RunError: The run has no model yet, or its summary is damaged.
    """
    from modelyard.registry.models import champion
    from modelyard.registry.runs import open_run

    if wanted is None:
        return champion(settings)
    if Path(wanted).is_dir():
        return Path(wanted)
    run = open_run(wanted, settings.storage.runs)
    try:
        return Path(run.summary["model"])
    except (KeyError, TypeError):
        raise RunError(f"{run.folder}/summary.json names no model; restore it, or search again") from None


def reading_of(model: str, settings: Settings) -> DataSettings:
    """Returns how to read a table for a model: as its run's was, unless settings say otherwise.

    Args:
        model: A model's folder, which knows no reading, or a run's name.
        settings: What was given.

    Raises:
        RunNotFound: The argument is neither a folder nor a run.
    """
    from modelyard.registry.runs import open_run

    if Path(model).is_dir():
        return settings.data
    run = open_run(model, settings.storage.runs).settings.data
    return run.model_copy(update={name: getattr(settings.data, name) for name in settings.data.model_fields_set})
