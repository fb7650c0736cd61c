"""What a search tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Listener", "Progress", "Stage"]

Stage = Literal["loading", "search", "finalists", "evaluation", "report"]


@dataclass(frozen=True)
class Progress:
    """Where a search stands.

    Attributes:
        stage: What is being done.
        trials: Trials that have ended: complete, stopped or failed.
        failed: How many of them failed.
        limit: Most trials; None without such a limit.
        metric: Name of the metric; empty before it is known.
        best: Best score of a complete trial so far.
        seconds: Seconds since the search began, with those of earlier parts of a run that was continued.
        left: Seconds left of the time budget; None without one.
    """

    stage: Stage
    trials: int = 0
    failed: int = 0
    limit: int | None = None
    metric: str = ""
    best: float | None = None
    seconds: float = 0.0
    left: float | None = None


Listener = Callable[[Progress], None]
