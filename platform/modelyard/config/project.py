"""The project that a working directory belongs to: where its conf/ is, and what relative paths in it mean."""

from __future__ import annotations

import os
import stat
from functools import reduce
from pathlib import Path
from typing import Any

from modelyard.config.composition import Composition
from modelyard.config.models import Settings
from modelyard.config.overrides import OVERRIDE
from modelyard.config.schema import Key

__all__ = ["CONF", "PATHS", "find_project", "resolve_paths"]

CONF = "conf"
PATHS: tuple[Key, ...] = (
    ("data", "path"),
    ("data", "test_path"),
    ("data", "contract"),
    ("serving", "keys_file"),
    ("serving", "feedback_key_file"),
    ("serving", "prediction_log", "url"),
    ("cluster", "wheels"),
    ("cluster", "training_values"),
    ("cluster", "serving_values"),
    ("storage", "runs"),
    ("storage", "models"),
)


def find_project() -> Path | None:
    """Returns the nearest folder with a conf/config.yaml, from the working directory upwards, or None.

    The search ends at the root of a Git repository. It also ends below a folder in which everybody may create files,
    such as /tmp: settings name code that is imported, so another user's conf/ must not be picked up there.
    """
    try:
        start = Path.cwd()
        for folder in (start, *start.parents):
            if folder != start and folder.stat().st_mode & stat.S_IWOTH:
                return None
            if (folder / CONF / "config.yaml").is_file():
                return folder
            if (folder / ".git").exists():
                return None
    except OSError:  # the working directory was deleted, or a folder above it cannot be read
        pass
    return None


def resolve_paths(settings: Settings, composition: Composition, project: Path) -> None:
    """Makes the relative paths of a project's files and defaults absolute; those of overrides are the caller's own.

    Args:
        settings: Changed in place.
        composition: Where each value comes from.
        project: Folder that relative paths start from.
    """
    for *names, last in PATHS:
        group = reduce(getattr, names, settings)
        value = getattr(group, last)
        if value and composition.source((*names, last)) != OVERRIDE:
            setattr(group, last, _below(project, value))


def _below(project: Path, value: Any) -> Any:
    if isinstance(value, list):
        return [_below(project, each) for each in value]
    return value if "://" in value or value.startswith("~") else os.path.join(project, value)
