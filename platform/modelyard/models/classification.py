"""Evaluation of a classifier."""

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
from modelyard.models.figures import Figure, FigureReport, check_rows
from modelyard.models.intervals import bootstrap
from modelyard.models.metrics import METRICS
from modelyard.utils.types import Label, Task

__all__ = ["ClassificationReport", "evaluate_classification_model"]

MOST_CURVES = 10
MOST_SHOWN = 10
# of float32 rounding, and of probabilities that were rounded to two or three digits
PROBABILITY_TOLERANCE = 1e-6
SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class ClassificationReport(FigureReport):
    """Evaluation of a classifier: a mapping of metrics by name, and what stands behind them.

    ``report["f1"]`` is a value, ``report.figures["f1"]`` has its interval. Iterating gives the metrics alone, so that
    ``dict(report)`` is a mapping of floats; ``report["confusion_matrix"]`` is the array of `confusion`.

    ``precision``, ``recall`` and ``f1`` are those of the positive class of two, and macro averages of more classes.
    Names with ``_macro`` and ``_weighted`` are averages over the classes in either case. More than two classes have
    ``roc_auc_ovr`` and ``roc_auc_ovo`` in place of ``roc_auc``.

    Attributes:
        kind: Tells the two reports apart in JSON.
        rows: Number of rows.
        classes: Labels in the order of the probabilities' columns; binary: (negative, positive).
        figures: Metrics by name, with intervals; those of probabilities only where these were given.
        confusion: Numbers of rows, a row for each actual class, a column for each predicted class.
        per_class: Precision and recall of each class.
        threshold: The binary threshold that the model decides with.
        thresholds: What other thresholds would decide; binary only.
        calibration: Bins of like probability, of the positive class or of the predicted one (multiclass).
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

    def __getitem__(self, name: str) -> Any:
        """Returns a metric's value, or the array of numbers of rows for ``confusion_matrix``."""
        return np.array(self.confusion) if name == "confusion_matrix" else super().__getitem__(name)


def evaluate_classification_model(
    y_true: Any,
    y_pred: Any,
    y_proba: Any = None,
    classes: Sequence[Label] | None = None,
    *,
    threshold: float = 0.5,
    seed: int = 0,
) -> ClassificationReport:
    """Measures the predictions of a classifier.

    Args:
        y_true: Actual labels, shape (n,).
        y_pred: Predicted labels, shape (n,).
        y_proba: Probabilities, shape (n, classes), or (n,) of the positive class.
        classes: Labels in the order of the columns of `y_proba`; of two, the second is the positive class. Defaults
            to the labels of `y_true` and `y_pred` in ascending order, which is the order of scikit-learn's
            ``classes_`` and of ``Model.predict_proba``.
        threshold: Probability above which the model decides for the positive class; marks its row of the threshold
            table.
        seed: Seed of the bootstrap.

    Raises:
        UsageError: The arguments do not fit each other, a label is missing or of another type than the others, or a
            probability is not one.

    Example:
        >>> report = evaluate_classification_model(["no", "yes", "yes"], ["no", "yes", "no"], [0.1, 0.9, 0.4])
        >>> report["recall"], report["confusion_matrix"].tolist()
        (0.5, [[1, 0], [1, 1]])
    """
    actual, predicted = _labels(y_true, "y_true"), _labels(y_pred, "y_pred")
    check_rows(y_true=len(actual), y_pred=len(predicted))
    labels = _sorted_classes(actual, predicted) if classes is None else _given_classes(classes)
    probabilities = None
    if y_proba is not None:
        probabilities = _probabilities(y_proba, len(labels))
        check_rows(y_true=len(actual), y_proba=len(probabilities))
    y, codes = _codes(actual, labels, "y_true"), _codes(predicted, labels, "y_pred")
    confusion = confusion_matrix(y, codes, len(labels))
    names = tuple(str(label) for label in labels)
    figures = _figures(y, codes, probabilities, len(labels), seed)
    extras = {} if probabilities is None else _of_probabilities(y, codes, probabilities, names, threshold)
    return ClassificationReport(len(y), labels, figures, confusion, class_figures(confusion, names), **extras)


def _figures(
    y: NDArray[np.int64], predicted: NDArray[np.int64], probabilities: NDArray[Any] | None, classes: int, seed: int
) -> dict[str, Figure]:
    task: Task = "binary" if classes == 2 else "multiclass"
    fitting = [metric for metric in METRICS.values() if task in metric.tasks]
    decisions = tuple(metric.name for metric in fitting if metric.decision is not None)
    found = bootstrap(y, np.eye(classes)[predicted], decisions, seed=seed)
    if probabilities is not None:
        graded = tuple(metric.name for metric in fitting if metric.decision is None)
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


def _labels(values: Any, where: str) -> list[Label]:
    labels = np.asarray(values, dtype=None if hasattr(values, "dtype") else object).ravel().tolist()
    for row, label in enumerate(labels, 1):
        known = isinstance(label, str | bool | int | float)
        if not known or label != label:  # NaN differs from itself
            problem = "is null" if known or label is None else f"is of type {type(label).__name__}"
            raise UsageError(
                f"{where}, row {row}: the label {problem}; labels are texts, numbers or booleans, so convert it or "
                "drop the row from all arguments"
            )
    return labels


def _sorted_classes(actual: list[Label], predicted: list[Label]) -> tuple[Label, ...]:
    """The labels in the order of scikit-learn's ``classes_``."""
    first: dict[str, str] = {}
    for where, labels in (("y_true", actual), ("y_pred", predicted)):
        for label in dict.fromkeys(labels):
            kind = "text" if isinstance(label, str) else "number"
            first.setdefault(kind, f"{where} holds the {kind} {repr(label)[:40]}")
    if len(first) > 1:
        raise UsageError(f"{' and '.join(first.values())}; convert the labels to one type, or pass classes=")
    return tuple(sorted({*actual, *predicted}))


def _given_classes(classes: Sequence[Label]) -> tuple[Label, ...]:
    labels = tuple(_labels(classes, "classes"))
    if len(set(labels)) < max(len(labels), 2):
        raise UsageError(f"classes has {len(labels)} labels, {len(set(labels))} of them different; give two or more")
    return labels


def _probabilities(values: Any, classes: int) -> NDArray[np.float64]:
    """Checks probabilities and returns them with a column for each class, within [0, 1]."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UsageError("y_proba holds values that are no numbers; pass probabilities, shape (n, classes)") from None
    if array.ndim not in (1, 2):
        raise UsageError(f"y_proba has {array.ndim} dimensions; pass probabilities, shape (n, classes) or (n,)")
    table = np.stack([1.0 - array, array], axis=1) if array.ndim == 1 else array
    if table.shape[1] != classes:
        raise UsageError(
            f"y_proba has {table.shape[1]} columns and there are {classes} classes; "
            "pass classes= in the order of the columns"
        )
    # NaN fails every comparison
    inside = (table >= -PROBABILITY_TOLERANCE) & (table <= 1 + PROBABILITY_TOLERANCE)
    if not inside.all():
        row, column = np.argwhere(~inside)[0]
        value = array[row] if array.ndim == 1 else array[row, column]
        raise UsageError(f"y_proba, row {row + 1}: {value:g} is no probability; pass values from 0 to 1")
    sums = table.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if wrong.any():
        row = int(wrong.argmax())
        raise UsageError(
            f"y_proba, row {row + 1}: the probabilities add up to {sums[row]:g}; they must be of all classes and add "
            "up to 1"
        )
    return np.clip(table, 0.0, 1.0)


def _codes(values: list[Label], labels: tuple[Label, ...], where: str) -> NDArray[np.int64]:
    numbers = {label: code for code, label in enumerate(labels)}
    strange = next((value for value in values if value not in numbers), None)
    if strange is not None:
        shown = ", ".join(repr(label)[:40] for label in labels[:MOST_SHOWN])
        more = f" and {len(labels) - MOST_SHOWN} more" if len(labels) > MOST_SHOWN else ""
        raise UsageError(
            f"{where} holds {repr(strange)[:40]}, which is none of the classes {shown}{more}; pass all labels in "
            "classes=, of the type that they have in y_true and y_pred"
        )
    return np.fromiter((numbers[value] for value in values), np.int64, len(values))
