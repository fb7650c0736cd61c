"""Areas under ROC and precision-recall curves as functions of row weights, shape (m, n).

A bootstrap needs no sorting for each resample: rows are sorted by score once and only their weights change. Rows of
equal score share one step of a curve.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_precision", "class_areas", "roc_area"]

Floats = NDArray[np.float64]
Labels = NDArray[np.integer] | NDArray[np.floating]


def roc_area(y: Labels, scores: Floats) -> Callable[[Floats], Floats]:
    """Returns the area under the ROC curve of class 1, shape (m,).

    Args:
        y: Class codes 0 and 1, shape (n,).
        scores: Scores of class 1, shape (n,).
    """

    def area(hits: Floats, misses: Floats) -> Floats:
        pairs = np.einsum("ij,ij->i", misses, hits.cumsum(axis=1) - hits / 2)
        return np.asarray(pairs / (hits.sum(axis=1) * misses.sum(axis=1)))

    return _by_steps(y, scores, area)


def average_precision(y: Labels, scores: Floats) -> Callable[[Floats], Floats]:
    """Returns the average precision of class 1, shape (m,); arguments as of `roc_area`."""

    def area(hits: Floats, misses: Floats) -> Floats:
        hits_so_far = hits.cumsum(axis=1)
        predicted = hits_so_far + misses.cumsum(axis=1)
        precision = np.divide(hits_so_far, predicted, out=np.zeros_like(predicted), where=predicted > 0)
        return np.asarray(np.einsum("ij,ij->i", hits, precision) / hits_so_far[:, -1])

    return _by_steps(y, scores, area)


def class_areas(y: Labels, scores: Floats) -> Callable[[Floats], dict[str, Floats]]:
    """Returns areas under the ROC curve of several classes: ``roc_auc_ovr`` and ``roc_auc_ovo``, each of shape (m,).

    One against the rest is the mean over the classes. One against one is the mean over all pairs of classes, ranked
    by the score of either (D. Hand, R. Till, Machine Learning 45, 2001). Both are NaN where a class has no rows.

    Args:
        y: Class codes, shape (n,).
        scores: Scores, shape (n, classes).
    """
    classes = scores.shape[1]
    truth = (y[:, None] == np.arange(classes)).astype(np.float64)

    def areas(weights: Floats) -> dict[str, Floats]:
        rows = weights @ truth
        # pairs[:, i, j]: pairs of a row of class i and one of class j in which the former has the higher score i
        pairs = np.stack([_pairs(truth, scores[:, i], i, weights) for i in range(classes)], axis=1)
        others = ~np.eye(classes, dtype=bool)
        with np.errstate(divide="ignore", invalid="ignore"):
            against_rest = (pairs * others).sum(axis=2) / (rows * (rows.sum(axis=1, keepdims=True) - rows))
            against_one = pairs / (rows[:, :, None] * rows[:, None, :])
        return {"roc_auc_ovr": against_rest.mean(axis=1), "roc_auc_ovo": against_one[:, others].mean(axis=1)}

    return areas


def _pairs(truth: Floats, score: Floats, positive: int, weights: Floats) -> Floats:
    """Counts pairs in which a row of the positive class is ranked above one of each class, shape (m, classes)."""
    order, starts = _steps(score)
    ordered = weights[:, order]
    hits = np.add.reduceat(ordered * truth[order, positive], starts, axis=1)
    above = hits.cumsum(axis=1) - hits / 2
    above = np.repeat(above, np.diff(starts, append=len(order)), axis=1)
    return np.asarray((ordered * above) @ truth[order])


def _by_steps(y: Labels, scores: Floats, area: Callable[[Floats, Floats], Floats]) -> Callable[[Floats], Floats]:
    order, starts = _steps(scores)
    positive = y[order] == 1

    def weighted(weights: Floats) -> Floats:
        ordered = weights[:, order]
        hits = np.add.reduceat(ordered * positive, starts, axis=1)
        return area(hits, np.add.reduceat(ordered * ~positive, starts, axis=1))

    return weighted


def _steps(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers by descending score, and the place where each run of equal scores starts."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
