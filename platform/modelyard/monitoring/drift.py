"""Drift: how far the rows that a service predicts have moved from those that its model was trained on.

The measure is the population stability index: the sum over a column's bins of (actual - expected) * ln(actual /
expected), of shares (N. Siddiqi, Credit Risk Scorecards, 2006). The usual reading is stable below 0.1, moved up to
0.25, and another population beyond. The recording rules of `monitoring.rules` compute the same in Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from modelyard.data.cells import NULL, UNKNOWN

__all__ = ["FLOOR", "LEVELS", "Cell", "ColumnDrift", "Level", "measure_drift", "population_stability_index"]

Level = Literal["stable", "moved", "drifted"]
# an empty bin would make the index infinite
FLOOR = 1e-4
LEVELS: Mapping[Level, float] = {"stable": 0.0, "moved": 0.1, "drifted": 0.25}


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
        return population_stability_index(
            [cell.expected for cell in self.cells], [cell.rows / self.rows for cell in self.cells]
        )

    @property
    def level(self) -> Level | None:
        """What the index is taken to mean; none without rows."""
        if self.index is None:
            return None
        return [name for name, least in LEVELS.items() if self.index >= least][-1]

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
        actual: Shares of what is held against it; both are taken as at least `FLOOR`.
    """
    reference, found = (np.maximum(np.asarray(shares, dtype=np.float64), FLOOR) for shares in (expected, actual))
    return float(np.sum((found - reference) * np.log(found / reference)))


def measure_drift(cells: Iterable[tuple[str, Cell]]) -> list[ColumnDrift]:
    """Returns the drift of each column, the largest first.

    Args:
        cells: Column and cell, in the contract's order.
    """
    columns: dict[str, list[Cell]] = {}
    for column, cell in cells:
        columns.setdefault(column, []).append(cell)
    measured = [ColumnDrift(column, tuple(found)) for column, found in columns.items()]
    return sorted(measured, key=lambda one: -1.0 if one.index is None else one.index, reverse=True)
