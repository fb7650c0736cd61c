"""Evaluation of a model on held-out rows: the doors onto the reports, and all of it as one document."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.data.bins import shares
from modelyard.data.cells import count_predictions
from modelyard.models.baselines import Baseline, measure_baselines
from modelyard.models.classification import ClassificationReport, evaluate_classification_model
from modelyard.models.documents import Document
from modelyard.models.figures import Figure
from modelyard.models.folds import Folds
from modelyard.models.importance import Importance, permutation_importance
from modelyard.models.intervals import paired_bootstrap
from modelyard.models.learning import LearningPoint, learning_curve
from modelyard.models.metrics import get_metric
from modelyard.models.model import Model
from modelyard.models.regression import RegressionReport, evaluate_regression_model
from modelyard.models.training import Configuration
from modelyard.utils.types import Task

__all__ = [
    "ClassificationReport",
    "HeldOut",
    "RegressionReport",
    "evaluate_classification_model",
    "evaluate_model",
    "evaluate_regression_model",
    "paired_bootstrap",
]


class HeldOut(Document):
    """The content of a run's ``evaluation.json``: the winner on rows that neither search nor fit has seen.

    Attributes:
        format: Version of this description.
        task: What kind of prediction.
        metric: The metric that the search went by.
        rows: Number of held-out rows.
        search_rows: Number of rows that the model was fitted on.
        report: Figures with intervals, curves, confusion or residuals.
        predicted: Share of the predictions by class, or by bin of the target.
        baselines: Simple models on the same rows.
        importances: Of the original columns, the most important first.
        learning: The winner's configuration after fewer rows, ascending; the last is the model itself.
    """

    title = "evaluation"

    format: Literal[1] = 1
    task: Task
    metric: str
    rows: int
    search_rows: int
    report: ClassificationReport | RegressionReport
    predicted: tuple[float, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    importances: tuple[Importance, ...] = ()
    learning: tuple[LearningPoint, ...] = ()

    @property
    def score(self) -> Figure | None:
        """The metric's value and interval; none where the rows do not allow it (one class only)."""
        return self.report.figures.get(self.metric)


def evaluate_model(
    model: Model,
    X: NDArray[np.float32],
    y: NDArray[np.int64] | NDArray[np.float64],
    *,
    folds: Folds,
    configuration: Configuration,
    rounds: int | None = None,
    threads: int = 1,
    learning_seconds: float = 10.0,
) -> HeldOut:
    """Evaluates a model, as it will be served, on held-out rows.

    Args:
        model: The compiled model, or the original where that is served; with its threshold.
        X: Encoded held-out rows, shape (n, features).
        y: Their class codes or values, shape (n,).
        folds: The search rows, for the baselines and the learning curve; gives metric and seed.
        configuration: What the model was fitted with.
        rounds: Boosting rounds that it was fitted with.
        threads: How many a fit may use.
        learning_seconds: Most seconds for the learning curve.
    """
    scores = model.scorer(X)
    report = _report(model, scores, y, folds.seed)
    metric = get_metric(folds.metric, folds.shape.task)
    points = learning_curve(configuration, folds, X, y, rounds=rounds, threads=threads, seconds=learning_seconds)
    own = report.figures.get(metric.name)
    return HeldOut(
        task=folds.shape.task,
        metric=metric.name,
        rows=len(y),
        search_rows=len(folds.y),
        report=report,
        predicted=_predicted(model, scores),
        baselines=measure_baselines(folds, X, y, scores, threads=threads),
        importances=permutation_importance(model.scorer, X, y, model.encoder.features, metric, seed=folds.seed),
        learning=points if own is None else (*points, LearningPoint(len(folds.y), own)),
    )


def _predicted(model: Model, scores: NDArray[np.floating]) -> tuple[float, ...]:
    target = model.contract.target
    return shares(count_predictions(target, model.codes(scores) if target.classes else scores))


def _report(
    model: Model, scores: NDArray[np.floating], y: NDArray[np.int64] | NDArray[np.float64], seed: int
) -> ClassificationReport | RegressionReport:
    classes = model.contract.target.classes
    if not classes:
        return evaluate_regression_model(y, scores, seed=seed)
    actual = [classes[code] for code in y.astype(np.int64)]
    return evaluate_classification_model(
        actual, model.decide(scores), scores, classes, threshold=model.threshold, seed=seed
    )
