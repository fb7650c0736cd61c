"""What a classifier's scores show beyond one figure: curves, calibration, confusion, thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass
from sklearn.metrics import precision_recall_curve, roc_curve

__all__ = [
    "CalibrationBin",
    "ClassFigures",
    "Curve",
    "ThresholdRow",
    "calibration_bins",
    "calibration_error",
    "class_figures",
    "confusion_matrix",
    "precision_recall",
    "receiver_operating",
    "threshold_table",
]

Codes = NDArray[np.int64]
Floats = NDArray[np.floating]

MOST_POINTS = 199
BINS = 10
STEPS = tuple(round(0.05 * step, 2) for step in range(1, 20))


@dataclass(frozen=True)
class Curve:
    """A line of fewer than 200 points.

    Attributes:
        name: Label of the class that counts as positive.
        x: Ascending for a ROC curve (false positive rate), descending for precision and recall (recall).
        y: True positive rate, or precision.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of like probability.

    Attributes:
        predicted: Their mean probability.
        observed: The share of them where it came true.
        rows: Their number.
    """

    predicted: float
    observed: float
    rows: int


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares.

    Attributes:
        label: The class.
        precision: Share of the rows answered with it that are of it; 0 where there is none.
        recall: Share of its rows that are answered with it.
        f1: Their harmonic mean.
        rows: Number of its rows.
    """

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class ThresholdRow:
    """What a binary model would answer with another threshold.

    Attributes:
        threshold: Rows above it are answered positive.
        precision: Share of those that are positive; 0 where there is none.
        recall: Share of the positive rows among those.
        f1: Their harmonic mean.
        balanced_accuracy: Mean of the two classes' recalls.
        accuracy: Share of right answers.
        positives: Share of the rows that are answered positive.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    balanced_accuracy: float
    accuracy: float
    positives: float


def confusion_matrix(y: Codes, predicted: Codes, classes: int) -> tuple[tuple[int, ...], ...]:
    """Returns counts, one row an actual class, one column an answered one."""
    counts = np.bincount(y * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(int(count) for count in row) for row in counts)


def class_figures(confusion: tuple[tuple[int, ...], ...], labels: tuple[str, ...]) -> tuple[ClassFigures, ...]:
    """Returns precision and recall of each class from a confusion matrix."""
    counts = np.array(confusion, dtype=np.float64)
    hits, actual, answered = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    figures = zip(
        labels, _ratio(hits, answered), _ratio(hits, actual), _ratio(2 * hits, actual + answered), strict=True
    )
    return tuple(
        ClassFigures(label, float(precision), float(recall), float(f1), int(rows))
        for (label, precision, recall, f1), rows in zip(figures, actual, strict=True)
    )


def receiver_operating(y: Codes, probability: Floats, name: str) -> Curve:
    """Returns the ROC curve of one class against the rest; `y` is 1 for it."""
    false_positive, true_positive, _ = roc_curve(y, probability)
    return _thin(name, false_positive, true_positive)


def precision_recall(y: Codes, probability: Floats, name: str) -> Curve:
    """Returns the precision-recall curve of one class against the rest."""
    precision, recall, _ = precision_recall_curve(y, probability, drop_intermediate=True)
    return _thin(name, recall, precision)


def calibration_bins(came_true: NDArray[np.bool_], probability: Floats) -> tuple[CalibrationBin, ...]:
    """Returns at most ten bins of about equally many rows, equal probabilities in one bin."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, BINS + 1)[1:-1]))
    numbers = np.searchsorted(edges, probability, side="left")
    rows = np.bincount(numbers, minlength=len(edges) + 1)
    predicted = np.bincount(numbers, probability, len(rows))
    observed = np.bincount(numbers, came_true, len(rows))
    return tuple(
        CalibrationBin(float(predicted[i] / rows[i]), float(observed[i] / rows[i]), int(rows[i]))
        for i in np.flatnonzero(rows)
    )


def calibration_error(bins: tuple[CalibrationBin, ...]) -> float:
    """Returns the expected calibration error: the mean distance of probability and share, weighted by rows."""
    total = sum(part.rows for part in bins)
    return sum(part.rows * abs(part.predicted - part.observed) for part in bins) / total


def threshold_table(y: Codes, probability: Floats, threshold: float) -> tuple[ThresholdRow, ...]:
    """Returns what thresholds from 0.05 to 0.95, and the model's own, would answer."""
    steps = np.unique([*STEPS, threshold])
    answered = probability[:, None] > steps
    actual = (y == 1)[:, None]
    hits, false = (answered & actual).sum(axis=0), (answered & ~actual).sum(axis=0)
    positive, negative = int(actual.sum()), int((~actual).sum())
    recall, specificity = _ratio(hits, positive), 1.0 - _ratio(false, negative)
    columns = np.stack(
        [
            steps,
            _ratio(hits, hits + false),
            recall,
            _ratio(2 * hits, hits + false + positive),
            (recall + specificity) / 2,
            (hits + negative - false) / len(y),
            (hits + false) / len(y),
        ],
        axis=1,
    )
    return tuple(ThresholdRow(*(float(value) for value in row)) for row in columns)


def _ratio(part: Floats | Codes, whole: Floats | Codes | int) -> NDArray[np.float64]:
    """A quotient that is 0 where there is nothing to divide by."""
    top, bottom = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    quotient: NDArray[np.float64] = np.divide(top, bottom, out=np.zeros(top.shape), where=bottom > 0)
    return quotient


def _thin(name: str, x: Floats, y: Floats) -> Curve:
    """Keeps points at equal distances along the line, so that steep parts keep theirs."""
    kept = np.arange(len(x))
    if len(x) > MOST_POINTS:
        length = np.r_[0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))]
        kept = np.unique(np.searchsorted(length, np.linspace(0.0, length[-1], MOST_POINTS - 1)))
        kept = np.unique(np.r_[kept, len(x) - 1])
    return Curve(name, tuple(np.round(x[kept], 6).tolist()), tuple(np.round(y[kept], 6).tolist()))
