"""Time: what was spent, what is left, what must be kept back for the work after the search."""

from __future__ import annotations

import time
from collections.abc import Iterable

from modelyard.registry.ledger import Record

__all__ = ["Budget", "kept_back"]

# compiling, comparing and measuring one model, and the figures on the held-out rows, before any were timed
FLAT_S = 3.0
# of the budget, so that a slow model leaves a search at all
LARGEST_SHARE = 0.4


class Budget:
    """A clock with a limit; it stands still until it is begun.

    Args:
        limit_s: Seconds in all; none: no limit.
        spent_s: What earlier parts of the same run have spent.
    """

    def __init__(self, limit_s: float | None, spent_s: float = 0.0) -> None:
        self.limit_s = limit_s
        self._spent = spent_s
        self._start: float | None = None

    def begin(self) -> None:
        """Starts the clock."""
        self._start = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds spent, those of earlier parts included."""
        return self._spent + (0.0 if self._start is None else time.monotonic() - self._start)

    @property
    def left(self) -> float | None:
        """Seconds left, negative where they were exceeded; None without a limit."""
        return None if self.limit_s is None else self.limit_s - self.spent


def kept_back(limit_s: float, leaders: Iterable[Record]) -> float:
    """Returns the seconds to keep back for refit, compilation, parity and evaluation.

    A refit takes about as long as the slowest leader's fit of a fold, on somewhat more rows.

    Args:
        limit_s: The whole budget.
        leaders: Last records of the trials that are likely to be refitted.
    """
    fits = (record.seconds / max(1, len(record.fold_scores) - 1) for record in leaders)
    return min(FLAT_S + 2.0 * max(fits, default=0.0), LARGEST_SHARE * limit_s)
