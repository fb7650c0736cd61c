"""Tells a listener where a search stands, and keeps the time that a run has spent in its folder."""

from __future__ import annotations

import time

from modelyard.registry.runs import Run
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally
from modelyard_tuning.progress import Listener, Progress, Stage

__all__ = ["Watch"]

# a run whose driver is killed has lost no more of its clock than this
KEPT_EVERY_S = 2.0


class Watch:
    """Passes on what happens.

    Args:
        budget: The clock.
        limit: Most trials.
        listener: Is told; none: nobody.

    Attributes:
        budget: The clock.
        run: The run, once there is one.
    """

    def __init__(self, budget: Budget, limit: int | None, listener: Listener | None) -> None:
        self.budget, self._limit, self._listener = budget, limit, listener
        self.run: Run | None = None
        self._stage: Stage = "loading"
        self._tally: Tally | None = None
        self._metric = ""
        self._kept = time.monotonic()

    def enter(self, stage: Stage) -> None:
        """Begins a stage."""
        self._stage = stage
        self.tell()

    def follow(self, tally: Tally, metric: str) -> None:
        """Takes counts from the search."""
        self._tally, self._metric = tally, metric

    def tell(self) -> None:
        """Tells the listener how things are now."""
        if self.run is not None and time.monotonic() - self._kept > KEPT_EVERY_S:
            self._kept = time.monotonic()
            self.run.update(spent_s=self.budget.spent)
        if self._listener is None:
            return
        tally = self._tally
        self._listener(
            Progress(
                stage=self._stage,
                trials=tally.ended if tally else 0,
                failed=tally.failed if tally else 0,
                limit=self._limit,
                metric=self._metric,
                best=tally.best if tally else None,
                seconds=self.budget.spent,
                left=self.budget.left,
            )
        )
