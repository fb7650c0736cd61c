"""Tells a listener where a search stands, and keeps that and the time it has spent in the run's folder."""

from __future__ import annotations

import time
from dataclasses import asdict

from modelyard.registry.runs import Run
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally
from modelyard_tuning.progress import Listener, Progress, Stage

__all__ = ["Watch"]

# a run whose driver is killed has lost no more of its clock than this, and who follows it from afar is no later
KEPT_EVERY_S = 2.0


class Watch:
    """Passes on what happens.

    Args:
        budget: The clock.
        limit: Most trials.
        listener: Is told; none: nobody.

    Attributes:
        budget: The clock.
    """

    def __init__(self, budget: Budget, limit: int | None, listener: Listener | None) -> None:
        self.budget, self._limit, self._listener = budget, limit, listener
        self._run: Run | None = None
        self._stage: Stage = "loading"
        self._tally: Tally | None = None
        self._metric = ""
        self._kept = time.monotonic()

    def enter(self, stage: Stage) -> None:
        """Begins a stage."""
        self._stage = stage
        self._kept = float("-inf")
        self.tell()

    def follow_run(self, run: Run) -> None:
        """Keeps from now on in this run's folder where the search stands."""
        self._run = run

    def follow(self, tally: Tally, metric: str) -> None:
        """Takes counts from the search."""
        self._tally, self._metric = tally, metric

    def tell(self) -> None:
        """Tells the listener how things are now."""
        tally = self._tally
        progress = Progress(
            stage=self._stage,
            trials=tally.ended if tally else 0,
            failed=tally.failed if tally else 0,
            limit=self._limit,
            metric=self._metric,
            best=tally.best if tally else None,
            seconds=self.budget.spent,
            left=self.budget.left,
        )
        if self._run is not None and time.monotonic() - self._kept > KEPT_EVERY_S:
            self._kept = time.monotonic()
            self._run.update(spent_s=self.budget.spent, progress=asdict(progress))
        if self._listener is not None:
            self._listener(progress)
