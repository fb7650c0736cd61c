"""How good the answers of a classifier are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from modelyard.errors import UsageError
from modelyard.models.curves import (
    CalibrationBin,
    ClassFigures,
    Curve,
    ThresholdRow,
    calibration_bins,
    calibration_error,
    class_figures,
    confusion_matrix,
    precision_recall,
    receiver_operating,
    threshold_table,
)
from modelyard.models.figures import Figure, FigureReport
from modelyard.models.intervals import bootstrap
from modelyard.models.metrics import METRICS
from modelyard.utils.types import Label, Task

__all__ = ["ClassificationReport", "evaluate_classification_model"]

ANSWER_METRICS = frozenset({"accuracy", "balanced_accuracy", "f1", "f1_macro"})
MOST_CURVES = 10


@dataclass(frozen=True)
class ClassificationReport(FigureReport):
    """What an evaluation of a classifier found; reads like a mapping of its figures' values.

    Attributes:
        kind: Tells the two reports apart in JSON.
        rows: Number of rows.
        classes: Labels; binary: (negative, positive).
        figures: Metrics by name, with intervals; those of probabilities only where these were given.
        confusion: Counts, one row an actual class, one column an answered one.
        per_class: Precision and recall of each class.
        threshold: The binary threshold that the model answers with.
        thresholds: What other thresholds would answer; binary only.
        calibration: Bins of like probability, of the positive class or of the answered one (multiclass).
        calibration_error: Expected calibration error over these bins.
        roc: ROC curves: of the positive class, or of each of the first ten classes against the rest.
        precision_recall: Precision-recall curves of the same classes.
    """

    rows: int
    classes: tuple[Label, ...]
    figures: dict[str, Figure]
    confusion: tuple[tuple[int, ...], ...]
    per_class: tuple[ClassFigures, ...]
    threshold: float | None = None
    thresholds: tuple[ThresholdRow, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    calibration_error: float | None = None
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    kind: Literal["classification"] = "classification"


def evaluate_classification_model(
    y_true: Any,
    y_pred: Any,
    y_proba: Any = None,
    classes: Sequence[Label] | None = None,
    *,
    threshold: float = 0.5,
    seed: int = 0,
) -> ClassificationReport:
    """Measures the answers of a classifier.

    Args:
        y_true: Actual labels, shape (n,).
        y_pred: Answered labels, shape (n,).
        y_proba: Probabilities, shape (n, classes), or (n,) of the positive class.
        classes: Labels in the order of the probabilities' columns; none: sorted, or with two classes in the
            order that the answers show.
        threshold: What the model answers the positive class above; marks its row of the threshold table.
        seed: Seed of the bootstrap.

    Raises:
        UsageError: The arguments do not fit each other.
    """
    actual, answered = _labels(y_true), _labels(y_pred)
    probabilities = None if y_proba is None else _probabilities(y_proba)
    _check_lengths(len(actual), len(answered), probabilities)
    labels = _classes(actual, answered, probabilities) if classes is None else tuple(_labels(classes))
    if probabilities is not None and probabilities.shape[1] != len(labels):
        raise UsageError(
            f"y_proba has {probabilities.shape[1]} columns and there are {len(labels)} classes; "
            "pass classes= in the order of the columns"
        )
    y, predicted = _codes(actual, labels, "y_true"), _codes(answered, labels, "y_pred")
    confusion = confusion_matrix(y, predicted, len(labels))
    names = tuple(str(label) for label in labels)
    figures = _figures(y, predicted, probabilities, len(labels), seed)
    extras = {} if probabilities is None else _of_probabilities(y, predicted, probabilities, names, threshold)
    return ClassificationReport(len(y), labels, figures, confusion, class_figures(confusion, names), **extras)


def _figures(
    y: NDArray[np.int64], predicted: NDArray[np.int64], probabilities: NDArray[Any] | None, classes: int, seed: int
) -> dict[str, Figure]:
    task: Task = "binary" if classes == 2 else "multiclass"
    fitting = [metric.name for metric in METRICS.values() if task in metric.tasks]
    answers = np.eye(classes)[predicted]
    found = bootstrap(y, answers, tuple(name for name in fitting if name in ANSWER_METRICS), seed=seed)
    if probabilities is not None:
        graded = tuple(name for name in fitting if name not in ANSWER_METRICS)
        found = {**bootstrap(y, probabilities, graded, seed=seed), **found}
    return found


def _of_probabilities(
    y: NDArray[np.int64],
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    names: tuple[str, ...],
    threshold: float,
) -> dict[str, Any]:
    binary = len(names) == 2
    bins = (
        calibration_bins(y == 1, probabilities[:, 1])
        if binary
        else calibration_bins(y == predicted, probabilities[np.arange(len(y)), predicted])
    )
    shown = [
        code for code in ([1] if binary else range(min(len(names), MOST_CURVES))) if 0 < (y == code).sum() < len(y)
    ]
    against = [((y == code).astype(np.int64), probabilities[:, code], names[code]) for code in shown]
    found: dict[str, Any] = {
        "calibration": bins,
        "calibration_error": calibration_error(bins),
        "roc": tuple(receiver_operating(*one) for one in against),
        "precision_recall": tuple(precision_recall(*one) for one in against),
    }
    if binary:
        found["threshold"] = threshold
        found["thresholds"] = threshold_table(y, probabilities[:, 1], threshold)
    return found


def _labels(values: Any) -> list[Label]:
    return list(np.asarray(values, dtype=None if hasattr(values, "dtype") else object).ravel().tolist())


def _probabilities(values: Any) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return np.stack([1.0 - array, array], axis=1) if array.ndim == 1 else array


def _check_lengths(actual: int, answered: int, probabilities: NDArray[np.float64] | None) -> None:
    if not actual:
        raise UsageError("y_true has no rows; an evaluation needs at least one")
    if answered != actual:
        raise UsageError(f"y_true has {actual} rows and y_pred {answered}; pass answers to the same rows")
    if probabilities is not None and len(probabilities) != actual:
        raise UsageError(f"y_true has {actual} rows and y_proba {len(probabilities)}; pass answers to the same rows")


def _classes(
    actual: list[Label], answered: list[Label], probabilities: NDArray[np.float64] | None
) -> tuple[Label, ...]:
    found = {*actual, *answered}
    try:
        labels = sorted(found)
    except TypeError:
        labels = sorted(found, key=str)
    if len(labels) == 2 and probabilities is not None and probabilities.shape[1] == 2:
        second = np.array([label == labels[1] for label in answered])
        if _reversed(second, probabilities[:, 1] - 0.5):
            labels.reverse()
    return tuple(labels)


def _reversed(second: NDArray[np.bool_], lean: NDArray[np.float64]) -> bool:
    """A model may put the rarer class last instead of the greater one: its answers tell which it is."""
    if second.all():
        return bool(lean.mean() < 0)
    if not second.any():
        return bool(lean.mean() > 0)
    return bool(lean[second].mean() < lean[~second].mean())


def _codes(values: list[Label], labels: tuple[Label, ...], where: str) -> NDArray[np.int64]:
    numbers = {label: code for code, label in enumerate(labels)}
    strange = next((value for value in values if value not in numbers), None)
    if strange is not None:
        raise UsageError(f"{where} holds {strange!r}, which is none of the classes {', '.join(map(repr, labels))}")
    return np.fromiter((numbers[value] for value in values), np.int64, len(values))
