"""How a column's values are spread: the shares that a contract keeps and that drift is measured against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Column
from modelyard.data.encoding import booleans, category_text, has_distinct, numbers, plain_values, timestamps

__all__ = ["category_counts", "count_values", "quantile_edges", "shares"]

QUANTILES = np.arange(1, 10) / 10
FLOAT32 = np.dtype(np.float32)


def quantile_edges(values: NDArray[np.float64], dtype: np.dtype[Any] = FLOAT32) -> tuple[float, ...]:
    """Returns at most nine inner edges, each a value of the column, that cut it into bins of like size.

    A value that more than a tenth of the rows share gets a bin of its own, so that a column of many zeros still
    has two bins to drift between.

    Args:
        values: Shape (n,), NaN for null.
        dtype: Type that the edges are rounded to: that of the values that will be counted by them.
    """
    known = _rounded(values[np.isfinite(values)], dtype)
    if not len(known):
        return ()
    quantiles = np.quantile(known, QUANTILES, method="inverted_cdf")
    above = known[known > known.min()]
    if len(above):
        quantiles = np.where(quantiles > known.min(), quantiles, above.min())
    return tuple(float(edge) for edge in np.unique(quantiles) if edge > known.min())


def count_values(column: Column, values: Any) -> NDArray[np.int64]:
    """Counts rows in the cells that `Column.shares` speaks of.

    Args:
        column: Says the kind, the edges and the vocabulary.
        values: The column's values: list, array or pandas series.

    Returns:
        Row counts in the order of `Column.shares`.

    Raises:
        ContractViolation: A value is not of the column's kind.
    """
    if column.kind == "categorical":
        counts = category_counts(values)
        known = [counts.get(category, 0) for category in column.vocabulary]
        total = sum(counts.values())
        return np.array([len(values) - total, total - sum(known), *known], dtype=np.int64)
    if column.kind == "boolean":
        cells, size = booleans(values, column.name), 2
    else:
        read = timestamps if column.kind == "datetime" else numbers
        cells, size = read(values, column.name), len(column.bins) + 1
    null = np.isnan(cells)
    if column.kind != "boolean":
        cells = np.searchsorted(np.asarray(column.bins), _rounded(cells), side="right").astype(np.float64)
    return np.bincount(np.where(null, 0, cells + 1).astype(np.int64), minlength=size + 1)


def shares(counts: Sequence[int] | NDArray[np.int64]) -> tuple[float, ...]:
    """Returns each count's part of their sum."""
    total = max(int(np.sum(counts)), 1)
    return tuple(float(count) / total for count in counts)


def category_counts(values: Any) -> Mapping[str, int]:
    """Counts the rows of each category by its canonical text; nulls are left out."""
    counts: Counter[str] = Counter()
    if has_distinct(values):
        places, distinct = values.factorize()
        frequencies = np.bincount(places[places >= 0], minlength=len(distinct))
        for value, count in zip(distinct, frequencies, strict=True):
            counts[category_text(value) or ""] += int(count)
    else:
        counts.update(text for text in map(category_text, plain_values(values)) if text is not None)
    return counts


def _rounded(values: NDArray[np.float64], dtype: np.dtype[Any] = FLOAT32) -> NDArray[np.float64]:
    # a service has only the float32 that the model sees: an edge must not fall between the two
    with np.errstate(over="ignore"):
        return values.astype(dtype).astype(np.float64)
