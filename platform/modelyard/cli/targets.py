"""The model that a command is about: by its folder, its run, its bento, or as the champion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import RunError

if TYPE_CHECKING:
    from modelyard.config import Settings

__all__ = ["is_bento", "model_folder"]


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
