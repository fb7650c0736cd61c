"""Metrics by name, each with its direction, on class codes and probabilities or on values.

``f1``, ``precision`` and ``recall`` are those of the positive class of two; of more classes they are macro averages.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk

from modelyard.errors import ConfigError, nearest
from modelyard.models.decisions import (
    DecisionMetric,
    accuracy,
    balanced_accuracy,
    count_decisions,
    f1,
    macro,
    matthews,
    positive_or_macro,
    precision,
    recall,
    weighted_by_class,
)
from modelyard.models.ranking import class_areas
from modelyard.utils.types import Task

__all__ = ["METRICS", "Metric", "get_metric"]

Array = NDArray[np.floating] | NDArray[np.integer]
CLASSES: tuple[Task, ...] = ("binary", "multiclass")
DEFAULT: dict[Task, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


@dataclass(frozen=True)
class Metric:
    """One figure of merit.

    Attributes:
        name: As in ``ml.metric``.
        tasks: The tasks it is defined for.
        greater_is_better: Its direction.
        function: Takes labels of shape (n,) and scores: probabilities (n, classes) or values (n,).
        decision: The same from numbers of rows by class, where it depends on predicted classes alone.
    """

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    function: Callable[[Array, Array], float]
    decision: DecisionMetric | None = None

    def __call__(self, y: Array, scores: Array) -> float:
        """Returns the metric, NaN where the labels do not allow it (one class only, for example)."""
        with warnings.catch_warnings():
            # scikit-learn warns and gives NaN where it used to raise; the caller looks at the figure
            warnings.simplefilter("ignore")
            try:
                return float(self.function(y, scores))
            except ValueError:
                return float("nan")

    def utility(self, score: float) -> float:
        """Returns the score with its sign turned, where need be, so that greater is better."""
        return score if self.greater_is_better else -score


def _positive(function: Callable[..., float]) -> Callable[[Array, Array], float]:
    return lambda y, p: function(y, p[:, 1])


def _of_decisions(name: str, metric: DecisionMetric) -> Metric:
    def function(y: Array, p: Array) -> float:
        counts = count_decisions(y.astype(np.int64), p.argmax(axis=1), p.shape[1])
        return float(metric(counts)[0])

    return Metric(name, CLASSES, True, function, metric)


def _class_area(name: str) -> Metric:
    def function(y: Array, p: Array) -> float:
        return float(class_areas(y, np.asarray(p, dtype=np.float64))(np.ones((1, len(y))))[name][0])

    return Metric(name, ("multiclass",), True, function)


def _log_loss(y: Array, p: Array) -> float:
    clipped = np.clip(p[np.arange(len(y)), y.astype(np.int64)], 1e-7, 1.0)
    return float(-np.mean(np.log(clipped)))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("roc_auc", ("binary",), True, _positive(sk.roc_auc_score)),
        Metric("average_precision", ("binary",), True, _positive(sk.average_precision_score)),
        Metric("brier", ("binary",), False, _positive(lambda y, p: float(np.mean((p - y) ** 2)))),
        _class_area("roc_auc_ovr"),
        _class_area("roc_auc_ovo"),
        Metric("log_loss", CLASSES, False, _log_loss),
        _of_decisions("accuracy", accuracy),
        _of_decisions("balanced_accuracy", balanced_accuracy),
        _of_decisions("mcc", matthews),
        _of_decisions("f1", positive_or_macro(f1)),
        _of_decisions("f1_macro", macro(f1)),
        _of_decisions("f1_weighted", weighted_by_class(f1)),
        _of_decisions("precision", positive_or_macro(precision)),
        _of_decisions("precision_macro", macro(precision)),
        _of_decisions("precision_weighted", weighted_by_class(precision)),
        _of_decisions("recall", positive_or_macro(recall)),
        _of_decisions("recall_macro", macro(recall)),
        _of_decisions("recall_weighted", weighted_by_class(recall)),
        Metric("rmse", ("regression",), False, sk.root_mean_squared_error),
        Metric("mae", ("regression",), False, sk.mean_absolute_error),
        Metric("r2", ("regression",), True, sk.r2_score),
    )
}


def get_metric(name: str, task: Task) -> Metric:
    """Returns a metric; ``auto`` is the task's default.

    Raises:
        ConfigError: No such metric, or it is not defined for the task.
    """
    wanted = DEFAULT[task] if name == "auto" else name
    metric = METRICS.get(wanted)
    if metric is None or task not in metric.tasks:
        usable = [metric.name for metric in METRICS.values() if task in metric.tasks]
        raise ConfigError("ml.metric", f"there is no metric {name!r} for a {task} task", hint=nearest(name, usable))
    return metric
