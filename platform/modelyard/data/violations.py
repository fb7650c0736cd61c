"""Where encoded rows leave their contract: what a service counts, for any way that rows come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Column, Contract
from modelyard.data.encoding import LARGEST, NULL_CODE, UNKNOWN_CODE, encoded_seconds, features_of
from modelyard.utils.types import Treatment

__all__ = ["Violation", "ViolationKind", "Violations"]

ViolationKind = Literal["null", "unknown", "range"]
# a date's seconds of the day are float32 in the matrix
SLACK_S = 0.01


@dataclass(frozen=True)
class Violation:
    """Rows that leave the contract in one way.

    Attributes:
        column: The column.
        kind: A null where training had none, a category that it did not know, or a value outside of its range.
        count: Number of rows.
        refused: Whether the contract says to refuse them.
    """

    column: str
    kind: ViolationKind
    count: int
    refused: bool


class Violations:
    """Counts violations of one contract.

    Args:
        contract: What the rows should be.
    """

    def __init__(self, contract: Contract) -> None:
        columns = {column.name: column for column in contract.columns}
        self._checks: list[tuple[ViolationKind, Column, int]] = []
        bounds: list[tuple[float, float]] = []
        seen: set[str] = set()
        for place, feature in enumerate(features_of(contract)):
            column = columns[feature.column]
            bounds.append(_bounds(column) if column.kind == "numeric" else (-np.inf, np.inf))
            if feature.column in seen:
                continue
            seen.add(feature.column)
            if not column.nullable:
                self._checks.append(("null", column, place))
            if column.kind == "categorical":
                self._checks.append(("unknown", column, place))
            if column.minimum is not None and column.maximum is not None:
                self._checks.append(("range", column, place))
        # beyond float32 the encoding clips
        held = np.clip(np.array(bounds).reshape(-1, 2), -LARGEST, LARGEST)
        self._low, self._high = held.astype(np.float32).T

    @property
    def possible(self) -> list[tuple[str, ViolationKind]]:
        """Column and kind of every violation that can be counted."""
        return [(column.name, kind) for kind, column, _ in self._checks]

    def find(self, matrix: NDArray[np.float32]) -> list[Violation]:
        """Returns what is wrong with encoded rows, shape (n, features)."""
        outside = ((matrix < self._low) | (matrix > self._high)).sum(axis=0)
        found: list[Violation] = []
        for kind, column, place in self._checks:
            values = matrix[:, place]
            if kind == "range":
                count = int(outside[place]) if column.kind == "numeric" else _outside_dates(column, matrix, place)
            elif kind == "unknown":
                count = int((values == UNKNOWN_CODE).sum())
            elif column.kind == "categorical":
                count = int((values == NULL_CODE).sum())
            else:
                count = int(np.isnan(values).sum())
            if count:
                found.append(Violation(column.name, kind, count, _treatment(kind, column) == "refuse"))
        return found


def _treatment(kind: ViolationKind, column: Column) -> Treatment:
    return {"null": column.on_null, "unknown": column.on_unknown, "range": column.on_range}[kind]


def _bounds(column: Column) -> tuple[float, float]:
    if column.minimum is None or column.maximum is None:
        return -np.inf, np.inf
    return column.minimum, column.maximum


def _outside_dates(column: Column, matrix: NDArray[np.float32], place: int) -> int:
    low, high = _bounds(column)
    seconds = encoded_seconds(matrix, place)
    return int(((seconds < low - SLACK_S) | (seconds > high + SLACK_S)).sum())
