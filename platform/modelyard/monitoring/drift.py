"""Drift: how far the rows that a service predicts have moved from those that its model was trained on.

The measure is the population stability index: the sum over a column's bins of (actual - expected) * ln(actual /
expected), of shares (N. Siddiqi, Credit Risk Scorecards, 2006). The usual reading is stable below 0.1, moved up to
0.25, and another population beyond. The recording rules of `monitoring.rules` compute the same in Prometheus.

Chance alone moves the index of n rows in b bins: n times the index has about a chi-squared distribution with b - 1
degrees of freedom where nothing drifted, so its mean is (b - 1) / n and its standard deviation sqrt(2 (b - 1)) / n. The
shares of the training rows are taken as known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.data.cells import NULL, UNKNOWN

__all__ = [
    "FLOOR",
    "LEVELS",
    "Cell",
    "ColumnDrift",
    "Level",
    "measure_drift",
    "population_stability_index",
    "reaching",
]

Level = Literal["stable", "moved", "drifted"]
# an empty bin would make the index infinite
FLOOR = 1e-4
LEVELS: Mapping[Level, float] = {"stable": 0.0, "moved": 0.1, "drifted": 0.25}
# a level needs so many rows that chance alone stays below "moved" by this many standard deviations beyond its mean
MARGIN_SD = 4.0
INTERVAL = (0.025, 0.975)
DRAWS = 1000


@dataclass(frozen=True)
class Cell:
    """One bin of a column.

    Attributes:
        bin: Its name.
        expected: Share of the training rows.
        rows: Predicted rows; a rate over time may give a part of one.
    """

    bin: str
    expected: float
    rows: float


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes:
        column: Its name.
        cells: Its bins, in the contract's order.
    """

    column: str
    cells: tuple[Cell, ...]

    @property
    def rows(self) -> float:
        """Predicted rows."""
        return sum(cell.rows for cell in self.cells)

    @property
    def index(self) -> float | None:
        """The population stability index; none without rows."""
        if not self.rows:
            return None
        found = [cell.rows / self.rows for cell in self.cells]
        return population_stability_index([cell.expected for cell in self.cells], found)

    @property
    def least_rows(self) -> int:
        """Fewest rows for a level: 67 for two bins, 260 for ten."""
        freedom = len(self._used) - 1
        return max(1, math.ceil((freedom + MARGIN_SD * math.sqrt(2 * freedom)) / LEVELS["moved"]))

    @property
    def level(self) -> Level | None:
        """What the index is taken to mean; None with fewer rows than `least_rows`."""
        if self.index is None or self.rows < self.least_rows:
            return None
        return [name for name, least in LEVELS.items() if self.index >= least][-1]

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the index without what chance adds to it; None without rows.

        The true shares are drawn from their posterior distribution given the rows, with Jeffreys' prior. The index of a
        draw is too large by chance twice, by that of the rows and by that of the draw.
        """
        if not self.rows:
            return None
        rows = np.array([cell.rows for cell in self._used])
        drawn = np.random.default_rng(0).dirichlet(rows + 0.5, DRAWS)
        indices = _indices([cell.expected for cell in self._used], drawn)
        low, high = np.maximum(np.quantile(indices, INTERVAL) - 2 * (len(rows) - 1) / self.rows, 0.0)
        return float(low), float(high)

    @property
    def _used(self) -> list[Cell]:
        """Bins in which there are rows, of training or predicted."""
        return [cell for cell in self.cells if cell.expected or cell.rows]

    def share(self, name: str) -> float | None:
        """The share of the rows in one bin; none without rows or where the column has no such bin."""
        found = [cell.rows for cell in self.cells if cell.bin == name]
        return found[0] / self.rows if found and self.rows else None

    @property
    def missing(self) -> float | None:
        """The share of nulls."""
        return self.share(NULL)

    @property
    def unseen(self) -> float | None:
        """The share of categories that training did not know; none for a column that has no categories."""
        return self.share(UNKNOWN)


def population_stability_index(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Returns the index of two distributions over the same bins.

    Args:
        expected: Shares of the reference.
        actual: Shares of what is compared with it; both are taken as at least `FLOOR`.
    """
    return float(_indices(expected, np.asarray([actual]))[0])


def measure_drift(cells: Iterable[tuple[str, Cell]]) -> list[ColumnDrift]:
    """Returns the drift of each column, the largest index first, and those without enough rows for a level last.

    Args:
        cells: Column and cell, in the contract's order.
    """
    columns: dict[str, list[Cell]] = {}
    for column, cell in cells:
        columns.setdefault(column, []).append(cell)
    measured = [ColumnDrift(column, tuple(found)) for column, found in columns.items()]
    return sorted(measured, key=lambda one: (one.level is not None, one.index or 0.0), reverse=True)


def reaching(columns: Iterable[ColumnDrift], level: Level) -> list[ColumnDrift]:
    """Returns the columns at a level or beyond it; those without enough rows for a level are not among them."""
    return [one for one in columns if one.level is not None and LEVELS[one.level] >= LEVELS[level]]


def _indices(expected: Sequence[float], actual: NDArray[np.float64]) -> NDArray[np.float64]:
    """The index of each of n distributions, shape (n, bins)."""
    reference, found = (np.maximum(np.asarray(shares, dtype=np.float64), FLOOR) for shares in (expected, actual))
    indices: NDArray[np.float64] = np.sum((found - reference) * np.log(found / reference), axis=1)
    return indices
