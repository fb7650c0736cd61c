"""Permutation importance of the original columns.

How much worse the metric gets when a column's values are shuffled among the rows (L. Breiman, Random Forests,
Machine Learning 45, 2001). A datetime's parts are shuffled together, because they are one column to its owner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from modelyard.data.encoding import Feature
from modelyard.models.metrics import Metric
from modelyard.models.model import Scorer

__all__ = ["Importance", "permutation_importance"]

MOST_ROWS = 2000
REPEATS = 5


@dataclass(frozen=True)
class Importance:
    """What a column is worth to a model.

    Attributes:
        column: The table's column.
        mean: Mean loss of the metric when it is shuffled; greater is more important, below 0 is noise.
        spread: Standard deviation of that loss over the repetitions.
    """

    column: str
    mean: float
    spread: float


def permutation_importance(
    scorer: Scorer,
    X: NDArray[np.float32],
    y: NDArray[np.integer] | NDArray[np.floating],
    features: tuple[Feature, ...],
    metric: Metric,
    *,
    repeats: int = REPEATS,
    most_rows: int = MOST_ROWS,
    seed: int = 0,
) -> tuple[Importance, ...]:
    """Shuffles one column after the other and measures what that costs.

    Args:
        scorer: Encoded rows to scores.
        X: Encoded rows that the model did not see, shape (n, len(features)).
        y: Class codes or values, shape (n,).
        features: What each column of the matrix is.
        metric: Measures the loss, turned so that greater is worse.
        repeats: Shuffles of each column.
        most_rows: Rows to use, drawn where there are more; bounds the time.
        seed: Seed of the draw and the shuffles.

    Returns:
        One entry for every column, the most important first.
    """
    rng = np.random.default_rng(seed)
    if len(X) > most_rows:
        drawn = rng.choice(len(X), most_rows, replace=False)
        X, y = X[drawn], y[drawn]
    base = metric.utility(metric(y, scorer(X)))
    found = []
    for column in dict.fromkeys(feature.column for feature in features):
        parts = [number for number, feature in enumerate(features) if feature.column == column]
        losses = []
        for _ in range(repeats):
            shuffled = X.copy()
            shuffled[:, parts] = X[rng.permutation(len(X))][:, parts]
            losses.append(base - metric.utility(metric(y, scorer(shuffled))))
        found.append(Importance(column, float(np.mean(losses)), float(np.std(losses))))
    return tuple(sorted(found, key=lambda importance: -importance.mean))
