"""Evaluation of a regression model."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from modelyard.errors import UsageError
from modelyard.models.figures import Figure, FigureReport, check_rows
from modelyard.models.intervals import bootstrap
from modelyard.models.metrics import METRICS

__all__ = ["RegressionReport", "evaluate_regression_model"]

QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_POINTS = 500


@dataclass(frozen=True)
class RegressionReport(FigureReport):
    """Evaluation of a regression model: a mapping of metrics by name, and what stands behind them.

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
    """Measures the predictions of a regression model.

    Args:
        y_true: Actual values, shape (n,).
        y_pred: Predicted values, shape (n,).
        seed: Seed of the bootstrap and of the sample.

    Raises:
        UsageError: There are no rows, or not equally many, or a value is no finite number.

    Example:
        >>> report = evaluate_regression_model([1.0, 2.0, 4.0], [1.5, 2.0, 3.5])
        >>> round(report["mae"], 3)
        0.333
    """
    y, predicted = _values(y_true, "y_true"), _values(y_pred, "y_pred")
    check_rows(y_true=len(y), y_pred=len(predicted))
    names = tuple(metric.name for metric in METRICS.values() if "regression" in metric.tasks)
    quantiles = np.quantile(y - predicted, QUANTILES)
    shown = np.sort(np.random.default_rng(seed).permutation(len(y))[:MOST_POINTS])
    return RegressionReport(
        len(y),
        bootstrap(y, predicted, names, seed=seed),
        {f"{share:g}": float(value) for share, value in zip(QUANTILES, quantiles, strict=True)},
        tuple((float(predicted[row]), float(y[row])) for row in shown),
    )


def _values(values: Any, where: str) -> NDArray[np.float64]:
    try:
        found = np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise UsageError(f"{where} holds values that are no numbers; convert them, or drop their rows") from None
    finite = np.isfinite(found)
    if not finite.all():
        row = int((~finite).argmax())
        raise UsageError(
            f"{where}, row {row + 1}: {found[row]} is no finite number ({(~finite).sum()} such rows in all); "
            "drop these rows from both arguments"
        )
    return found
