"""Metrics of decisions, computed from numbers of rows by class.

The numbers are arrays of shape (m, classes): m weightings of the same rows (a bootstrap), or m thresholds of the same
scores, are evaluated at once. Empty classes follow scikit-learn: a precision, recall or F1 without rows is 0, macro
averages are over the classes that occur among actual or predicted labels, and balanced accuracy over those that occur
among actual labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ClassCounts",
    "DecisionMetric",
    "accuracy",
    "balanced_accuracy",
    "count_decisions",
    "count_weighted",
    "f1",
    "macro",
    "matthews",
    "positive_or_macro",
    "precision",
    "recall",
    "weighted_by_class",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]


@dataclass(frozen=True)
class ClassCounts:
    """Numbers of rows by class.

    Attributes:
        hits: Rows of a class that were predicted as it, shape (m, classes).
        actual: Rows of a class, shape (m, classes).
        predicted: Rows predicted as a class, shape (m, classes).
    """

    hits: Floats
    actual: Floats
    predicted: Floats


DecisionMetric = Callable[[ClassCounts], Floats]


def count_decisions(y: Codes, predicted: Codes, classes: int) -> ClassCounts:
    """Counts rows once.

    Args:
        y: Actual class codes, shape (n,).
        predicted: Predicted class codes, shape (n,).
        classes: Number of classes.
    """
    counts = (np.bincount(codes, minlength=classes) for codes in (y[y == predicted], y, predicted))
    return ClassCounts(*(part.astype(np.float64)[None] for part in counts))


def count_weighted(y: Codes, predicted: Codes, classes: int) -> Callable[[Floats], ClassCounts]:
    """Returns the counts as a function of row weights, shape (m, n); arguments as of `count_decisions`."""
    truth = (y[:, None] == np.arange(classes)).astype(np.float64)
    answers = (predicted[:, None] == np.arange(classes)).astype(np.float64)
    return lambda weights: ClassCounts(weights @ (truth * answers), weights @ truth, weights @ answers)


def precision(counts: ClassCounts) -> Floats:
    """Returns the precision of each class, shape (m, classes)."""
    return _ratio(counts.hits, counts.predicted)


def recall(counts: ClassCounts) -> Floats:
    """Returns the recall of each class, shape (m, classes)."""
    return _ratio(counts.hits, counts.actual)


def f1(counts: ClassCounts) -> Floats:
    """Returns the F1 score of each class, shape (m, classes)."""
    return _ratio(2 * counts.hits, counts.actual + counts.predicted)


def accuracy(counts: ClassCounts) -> Floats:
    """Returns the accuracy, shape (m,)."""
    return np.asarray(counts.hits.sum(axis=1) / counts.actual.sum(axis=1))


def balanced_accuracy(counts: ClassCounts) -> Floats:
    """Returns the mean recall of the classes that occur among the actual labels, shape (m,)."""
    return np.asarray(recall(counts).sum(axis=1) / (counts.actual > 0).sum(axis=1))


def matthews(counts: ClassCounts) -> Floats:
    """Returns Matthews' correlation coefficient, for any number of classes (Gorodkin, 2004), shape (m,)."""
    rows = counts.actual.sum(axis=1)
    covariance = counts.hits.sum(axis=1) * rows - (counts.actual * counts.predicted).sum(axis=1)
    spread_actual = rows**2 - (counts.actual**2).sum(axis=1)
    spread_predicted = rows**2 - (counts.predicted**2).sum(axis=1)
    return _ratio(covariance, np.sqrt(spread_actual * spread_predicted))


def macro(by_class: DecisionMetric) -> DecisionMetric:
    """Averages a metric by class over the classes that occur."""

    def average(counts: ClassCounts) -> Floats:
        present = (counts.actual + counts.predicted > 0).sum(axis=1)
        return np.asarray(by_class(counts).sum(axis=1) / present)

    return average


def weighted_by_class(by_class: DecisionMetric) -> DecisionMetric:
    """Averages a metric by class, weighted by the actual rows of each class."""
    return lambda counts: np.asarray((by_class(counts) * counts.actual).sum(axis=1) / counts.actual.sum(axis=1))


def positive_or_macro(by_class: DecisionMetric) -> DecisionMetric:
    """Takes a metric of the positive class of two, and the macro average of more classes."""
    average = macro(by_class)
    return lambda counts: by_class(counts)[:, 1] if counts.actual.shape[1] == 2 else average(counts)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """A quotient that is 0 where `whole` is."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
