"""Encoded rows by the cells that a contract's shares speak of: what a service counts, and drift is measured in."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import FIRST_CODE, encoded_seconds, features_of

__all__ = ["MOST_NAMED", "NULL", "OTHER", "UNKNOWN", "Cells", "bin_names", "cell_names", "count_predictions", "fold"]

# no category of a table is likely to be called this
NULL, UNKNOWN, OTHER = "(null)", "(unknown)", "(other)"
MOST_NAMED = 50
# the edge between false and true
TRUTH = (0.5,)
# what stays in the processor's caches, of any table
ROWS_AT_ONCE = 4096


class _Place(NamedTuple):
    """Where a column begins: in the matrix, and among the cells."""

    column: Column
    place: int
    start: int


class Cells:
    """The cells of a contract's columns; columns whose training shares are not known have none.

    Args:
        contract: Says what each column is.

    Attributes:
        names: Column and cell of each.
        expected: Share of the training rows in each.
    """

    def __init__(self, contract: Contract) -> None:
        columns = {column.name: column for column in contract.columns}
        self.names: list[tuple[str, str]] = []
        self.expected: list[float] = []
        coded, binned = list[_Place](), list[_Place]()
        for place, feature in enumerate(features_of(contract)):
            column = columns.pop(feature.column, None)
            if column is None or not column.shares:
                continue
            one = _Place(column, place, len(self.names))
            (coded if column.kind == "categorical" else binned).append(one)
            self.names += [(column.name, cell) for cell in cell_names(column)]
            self.expected += fold(column, np.array(column.shares)).tolist()
        self._coded, self._first_of_coded = _indices(coded)
        self._binned, self._first_of_binned = _indices(binned)
        self._dates = [(row, one.place) for row, one in enumerate(binned) if one.column.kind == "datetime"]
        edges = [TRUTH if one.column.kind == "boolean" else one.column.bins for one in binned]
        # nothing reaches the edges that a column has not
        self._edges = np.array(list(itertools.zip_longest(*edges, fillvalue=np.nan)), dtype=np.float32)

    def count(self, matrix: NDArray[np.float32]) -> NDArray[np.int64]:
        """Counts encoded rows, shape (n, features), in each cell."""
        counts = np.zeros(len(self.names), dtype=np.int64)
        for begin in range(0, len(matrix), ROWS_AT_ONCE):
            counts += self._count(matrix[begin : begin + ROWS_AT_ONCE])
        return counts

    def _count(self, matrix: NDArray[np.float32]) -> NDArray[np.int64]:
        # the codes are the order of the shares
        codes = np.minimum(matrix.T[self._coded], FIRST_CODE + MOST_NAMED).astype(np.intp)
        values = matrix.T[self._binned]
        for row, place in self._dates:
            values[row] = encoded_seconds(matrix, place)
        # null, which equals nothing and reaches no edge, is in the first cell; the next has what is below all edges
        cells = (values == values).view(np.uint8)
        # all columns at once by each edge takes a third of looking each column up in its edges
        for edges in self._edges:
            cells += (values >= edges[:, None]).view(np.uint8)
        found = [(codes + self._first_of_coded).ravel(), (cells + self._first_of_binned).ravel()]
        return np.bincount(np.concatenate(found), minlength=len(self.names))


def cell_names(column: Column) -> list[str]:
    """Returns the names of a column's cells, in the order of `Column.shares` up to what `fold` puts together."""
    if column.kind == "categorical":
        named = list(column.vocabulary[:MOST_NAMED])
        return [NULL, UNKNOWN, *named, *([OTHER] if len(column.vocabulary) > MOST_NAMED else [])]
    if column.kind == "boolean":
        return [NULL, "false", "true"]
    edges = [_instant(edge) if column.kind == "datetime" else f"{edge!r}" for edge in column.bins]
    return [NULL, *bin_names(edges)]


def bin_names(edges: list[str]) -> list[str]:
    """Returns the names of the bins between inner edges, each of which belongs to the bin above it."""
    if not edges:
        return ["any"]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]}", *between, f"from {edges[-1]}"]


def fold(column: Column, by_cell: NDArray[np.generic]) -> NDArray[np.generic]:
    """Puts the categories past the most frequent ones together, of counts or shares in the order of `Column.shares`."""
    most = FIRST_CODE + MOST_NAMED
    if column.kind != "categorical" or len(by_cell) <= most:
        return by_cell
    return np.append(by_cell[:most], by_cell[most:].sum())


def count_predictions(target: Target, predicted: NDArray[np.generic]) -> NDArray[np.int64]:
    """Counts predictions by class, or by bin of the target.

    Args:
        target: Its classes or bins.
        predicted: Codes of the classes, or values.
    """
    if target.classes:
        return np.bincount(predicted.astype(np.int64), minlength=len(target.classes))
    places = np.searchsorted(np.asarray(target.bins), predicted.astype(np.float64), side="right")
    return np.bincount(places, minlength=len(target.bins) + 1)


def _indices(columns: Sequence[_Place]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the places, and the starts as a column, of columns."""
    places = np.array([one.place for one in columns], dtype=np.intp)
    return places, np.array([[one.start] for one in columns], dtype=np.intp).reshape(-1, 1)


def _instant(seconds: float) -> str:
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)
    return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat(timespec="seconds")
