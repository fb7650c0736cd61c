"""Where the charts are: they travel in the package."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import modelyard

__all__ = ["Chart", "chart_folder"]

Chart = Literal["modelyard-serving", "modelyard-training"]


def chart_folder(name: Chart) -> Path:
    """Returns the folder of a chart."""
    return Path(modelyard.__file__).parent / "charts" / name
