"""How good the answers of a regression model are."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic.dataclasses import dataclass

from modelyard.errors import UsageError
from modelyard.models.figures import Figure, FigureReport
from modelyard.models.intervals import bootstrap
from modelyard.models.metrics import METRICS

__all__ = ["RegressionReport", "evaluate_regression_model"]

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_POINTS = 500


@dataclass(frozen=True)
class RegressionReport(FigureReport):
    """What an evaluation of a regression model found; reads like a mapping of its figures' values.

    Attributes:
        kind: Tells the two reports apart in JSON.
        rows: Number of rows.
        figures: Metrics by name, with intervals.
        residual_quantiles: Quantiles of actual minus predicted, by share of the rows below, as text.
        sample: Pairs (predicted, actual) of at most 500 rows, for plots.
    """

    rows: int
    figures: dict[str, Figure]
    residual_quantiles: dict[str, float]
    sample: tuple[tuple[float, float], ...] = ()
    kind: Literal["regression"] = "regression"


def evaluate_regression_model(y_true: Any, y_pred: Any, *, seed: int = 0) -> RegressionReport:
    """Measures the answers of a regression model.

    Args:
        y_true: Actual values, shape (n,).
        y_pred: Predicted values, shape (n,).
        seed: Seed of the bootstrap and of the sample.

    Raises:
        UsageError: There are no rows, or not equally many.
    """
    y = np.asarray(y_true, dtype=np.float64).ravel()
    predicted = np.asarray(y_pred, dtype=np.float64).ravel()
    if not len(y):
        raise UsageError("y_true has no rows; an evaluation needs at least one")
    if len(y) != len(predicted):
        raise UsageError(f"y_true has {len(y)} rows and y_pred {len(predicted)}; pass answers to the same rows")
    names = tuple(metric.name for metric in METRICS.values() if "regression" in metric.tasks)
    quantiles = np.quantile(y - predicted, QUANTILES)
    shown = np.sort(np.random.default_rng(seed).permutation(len(y))[:MOST_POINTS])
    return RegressionReport(
        len(y),
        bootstrap(y, predicted, names, seed=seed),
        {f"{share:g}": float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        tuple((float(predicted[row]), float(y[row])) for row in shown),
    )
