"""Encoded rows to the columns of a linear model: scaled numbers, marks of nulls, one-hot categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from modelyard.data.encoding import FIRST_CODE, UNKNOWN_CODE, Feature
from modelyard.plugins.base import Labels, Matrix

__all__ = ["LinearColumns"]


class LinearColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Scales numbers and one-hot encodes categories.

    A null number counts as the mean; a column that had nulls in training gets a second one that marks them.
    Categories rarer than `min_rows`, those past the `most` frequent, and codes that training never saw
    share one column: that of the unknown code.

    Args:
        features: What the columns of the matrix are.
        min_rows: Rows that a category needs for a column of its own.
        most: Most categories of one feature with a column of their own.

    Attributes:
        numbers: Positions of the numbers.
        mean: Their means, float32, so that a float32 runtime subtracts exactly the same.
        scale: Their standard deviations, float32.
        marked: Which of them had nulls: positions within `numbers`.
        categories: Positions of the categories.
        columns: By category, the output column of each code, counted from 0 in each.
        widths: By category, its number of output columns.
    """

    def __init__(self, features: Sequence[Feature], min_rows: int = 10, most: int = 32) -> None:
        self.features = features
        self.min_rows = min_rows
        self.most = most

    def fit(self, X: Matrix, y: Labels | None = None) -> LinearColumns:  # noqa: ARG002  scikit-learn's signature
        """Learns means, deviations and frequent categories."""
        self.numbers = np.array([i for i, each in enumerate(self.features) if each.kind == "number"], dtype=np.int64)
        self.categories = np.array(
            [i for i, each in enumerate(self.features) if each.kind == "category"], dtype=np.int64
        )
        values = X[:, self.numbers].astype(np.float64)
        null = np.isnan(values)
        known = np.maximum((~null).sum(axis=0), 1)
        self.mean = (np.where(null, 0.0, values).sum(axis=0) / known).astype(np.float32)
        centered = np.where(null, 0.0, values - self.mean)
        scale = np.sqrt((centered**2).sum(axis=0) / known)
        # a constant column has a mean rounded to float32, and must not be blown up by what that left
        noise = np.abs(self.mean) * 1e-6
        self.scale = np.where(scale > noise, scale, 1.0).astype(np.float32)
        self.marked = np.flatnonzero(null.any(axis=0))
        self.columns = [self._columns(X[:, i], self.features[i].size) for i in self.categories]
        self.widths = [int(columns.max()) + 1 for columns in self.columns]
        return self

    def transform(self, X: Matrix) -> NDArray[np.float64]:
        """Returns the columns: numbers, marks, then the categories, shape (n, width)."""
        values = X[:, self.numbers]
        null = np.isnan(values)
        scaled = np.where(null, 0.0, (values - self.mean).astype(np.float64) / self.scale)
        parts = [scaled, null[:, self.marked].astype(np.float64)]
        for i, columns, width in zip(self.categories, self.columns, self.widths, strict=True):
            parts.append(np.eye(width)[columns[X[:, i].astype(np.int64)]])
        return np.hstack(parts)

    def _columns(self, codes: NDArray[np.float32], size: int) -> NDArray[np.int64]:
        counts = np.bincount(codes.astype(np.int64), minlength=max(size, FIRST_CODE))
        order = np.argsort(-counts, kind="stable")
        frequent = [code for code in order if counts[code] >= self.min_rows and code != UNKNOWN_CODE][: self.most]
        columns = np.zeros(len(counts), dtype=np.int64)
        columns[np.array(frequent, dtype=np.int64)] = np.arange(1, len(frequent) + 1)
        return columns
