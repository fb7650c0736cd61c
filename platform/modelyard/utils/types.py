"""Words that every layer shares."""

from __future__ import annotations

from typing import Literal

__all__ = ["Kind", "Label", "Task", "Treatment"]

Kind = Literal["numeric", "categorical", "boolean", "datetime"]
Task = Literal["binary", "multiclass", "regression"]
Treatment = Literal["accept", "refuse"]
Label = str | bool | int | float
