"""Encoded rows by the cells that a contract's shares speak of: what a service counts, and drift is measured in."""

from __future__ import annotations

import datetime as dt
import itertools

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
        # with the edges of its bins, and where it begins in the matrix and in the cells
        self._columns: list[tuple[Column, NDArray[np.float32], int, int]] = []
        seen: set[str] = set()
        for place, feature in enumerate(features_of(contract)):
            column = columns[feature.column]
            if column.name in seen or not column.shares:
                continue
            seen.add(column.name)
            edges = TRUTH if column.kind == "boolean" else column.bins
            self._columns.append((column, np.array(edges, dtype=np.float32), place, len(self.names)))
            self.names += [(column.name, cell) for cell in cell_names(column)]
            self.expected += fold(column, np.array(column.shares)).tolist()

    def count(self, matrix: NDArray[np.float32]) -> NDArray[np.int64]:
        """Counts encoded rows, shape (n, features), in each cell."""
        counts = np.zeros(len(self.names), dtype=np.int64)
        # in one pass, since each column's values are far apart in the rows
        matrix = np.asfortranarray(matrix)
        nulls = np.count_nonzero(np.isnan(matrix), axis=0)
        for column, edges, place, start in self._columns:
            if column.kind == "categorical":
                # the codes are the order of the shares
                codes = np.minimum(matrix[:, place].astype(np.intp), FIRST_CODE + MOST_NAMED)
                found = np.bincount(codes)
                counts[start : start + len(found)] = found
                continue
            values = matrix[:, place]
            if column.kind == "datetime":
                values = encoded_seconds(matrix, place).astype(np.float32)
            found = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
            # null is in the order behind all values
            found[-1] -= nulls[place]
            counts[start] = nulls[place]
            counts[start + 1 : start + 1 + len(found)] = found
        return counts


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


def _instant(seconds: float) -> str:
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)
    return moment.date().isoformat() if moment.time() == dt.time() else moment.isoformat(timespec="seconds")
