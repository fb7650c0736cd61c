"""Percentile bootstrap of every metric, vectorised: a resample is a row of weights, drawn once for all figures.

Efron's percentile interval (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). The
area under a curve needs no sorting for each resample: the rows are sorted once and only their weights change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from modelyard.models.figures import Figure
from modelyard.models.metrics import METRICS

__all__ = ["bootstrap", "paired_bootstrap", "weighted"]

Floats = NDArray[np.float64]
Labels = NDArray[np.integer] | NDArray[np.floating]
Scores = NDArray[np.floating]

RESAMPLES = 500
FEWEST_RESAMPLES = 100
# bounds the time: the intervals of so many rows are narrow, and fewer resamples place their ends well enough
MOST_DRAWS = 10_000_000
# weights held at a time, 32 MB of float64
BLOCK = 4_000_000
LEVEL = 0.95


def bootstrap(y: Labels, scores: Scores, names: tuple[str, ...], *, seed: int = 0) -> dict[str, Figure]:
    """Returns each metric that the rows allow with its interval.

    Args:
        y: Class codes or values, shape (n,).
        scores: Probabilities (n, classes) or values (n,).
        names: Names of the metrics, of ``models.metrics``.
        seed: Seed of the resamples.
    """
    values = {name: METRICS[name](y, scores) for name in names}
    drawn = _replicates({name: weighted(name, y, scores) for name in names}, len(y), seed)
    return {name: Figure(value, *_interval(drawn[name])) for name, value in values.items() if np.isfinite(value)}


def paired_bootstrap(
    y: Labels, scores_a: Scores, scores_b: Scores, metric: str, *, seed: int = 0
) -> tuple[float, float, float]:
    """Compares two models on the same rows, resampling the rows for both alike.

    Args:
        y: Class codes or values, shape (n,).
        scores_a: Probabilities or values of one model.
        scores_b: Those of the other.
        metric: Name of the metric.
        seed: Seed of the resamples.

    Returns:
        The difference a - b in the metric's own direction, and its 95 % interval (low, high); NaN where the
        rows do not allow the metric.
    """
    judge = METRICS[metric]
    statistics = {"a": weighted(metric, y, scores_a), "b": weighted(metric, y, scores_b)}
    drawn = _replicates(statistics, len(y), seed)
    low, high = _interval(drawn["a"] - drawn["b"])
    nan = float("nan")
    return judge(y, scores_a) - judge(y, scores_b), nan if low is None else low, nan if high is None else high


def _interval(replicates: Floats) -> tuple[float | None, float | None]:
    finite = replicates[np.isfinite(replicates)]
    if not len(finite):
        return None, None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _replicates(statistics: dict[str, Callable[[Floats], Floats]], rows: int, seed: int) -> dict[str, Floats]:
    parts: dict[str, list[Floats]] = {name: [] for name in statistics}
    for weights in _weights(rows, seed):
        for name, statistic in statistics.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                parts[name].append(statistic(weights))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _weights(rows: int, seed: int) -> Iterator[Floats]:
    """Yields blocks of resamples: how often each row was drawn, shape (resamples, rows)."""
    rng = np.random.default_rng(seed)
    left = int(np.clip(MOST_DRAWS // rows, FEWEST_RESAMPLES, RESAMPLES))
    while left:
        size = min(left, max(1, BLOCK // rows))
        drawn = rng.integers(0, rows, (size, rows))
        yield np.stack([np.bincount(row, minlength=rows) for row in drawn]).astype(np.float64)
        left -= size


def weighted(name: str, y: Labels, scores: Scores) -> Callable[[Floats], Floats]:
    """Returns a metric as a function of weights (resamples, n), giving one value a resample."""
    if name in ("roc_auc", "average_precision"):
        return _ranking(name, y, np.asarray(scores[:, 1], dtype=np.float64))
    if name in ("f1", "f1_macro", "balanced_accuracy"):
        return _counts(name, y.astype(np.int64), scores.argmax(axis=1))
    if name == "r2":
        return _r2(np.asarray(y, dtype=np.float64), np.asarray(scores, dtype=np.float64))
    losses = _losses(name, y, np.asarray(scores, dtype=np.float64))

    def mean(weights: Floats) -> Floats:
        average: Floats = weights @ losses / weights.sum(axis=1)
        return np.asarray(np.sqrt(average) if name == "rmse" else average)

    return mean


def _losses(name: str, y: Labels, scores: Floats) -> Floats:
    """What each row adds to a metric that is a mean over rows."""
    if name == "log_loss":
        return np.asarray(-np.log(np.clip(scores[np.arange(len(y)), y.astype(np.int64)], 1e-7, 1.0)))
    if name == "brier":
        return np.asarray((scores[:, 1] - y) ** 2)
    if name == "accuracy":
        return np.asarray(scores.argmax(axis=1) == y, dtype=np.float64)
    return np.asarray(np.abs(scores - y) if name == "mae" else (scores - y) ** 2)


def _r2(y: Floats, predicted: Floats) -> Callable[[Floats], Floats]:
    centred = y - y.mean()

    def r2(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        spread = weights @ centred**2 - (weights @ centred) ** 2 / total
        return np.asarray(1.0 - weights @ (y - predicted) ** 2 / spread)

    return r2


def _counts(name: str, y: NDArray[np.int64], predicted: NDArray[np.int64]) -> Callable[[Floats], Floats]:
    classes = np.union1d(y, predicted)
    truth = (y[:, None] == classes).astype(np.float64)
    answer = (predicted[:, None] == classes).astype(np.float64)

    def figure(weights: Floats) -> Floats:
        hits, actual, answered = weights @ (truth * answer), weights @ truth, weights @ answer
        if name == "balanced_accuracy":  # over the classes that a resample holds, as scikit-learn's
            return np.asarray(np.nanmean(np.where(actual > 0, hits / actual, np.nan), axis=1))
        both = actual + answered
        f1 = np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0)
        if name == "f1":
            return np.asarray(f1[:, classes == 1].sum(axis=1))
        present = both > 0
        return np.asarray(f1.sum(axis=1) / present.sum(axis=1))

    return figure


def _ranking(name: str, y: Labels, scores: Floats) -> Callable[[Floats], Floats]:
    """Area under the ROC or the precision-recall curve; equal scores share one step."""
    order = np.argsort(-scores, kind="stable")
    ordered, positive = scores[order], y[order] == 1
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])

    def area(weights: Floats) -> Floats:
        sorted_weights = weights[:, order]
        hits = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        misses = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
        hits_so_far, misses_so_far = hits.cumsum(axis=1), misses.cumsum(axis=1)
        if name == "roc_auc":
            pairs = np.einsum("ij,ij->i", misses, hits_so_far - hits / 2)
            return np.asarray(pairs / (hits_so_far[:, -1] * misses_so_far[:, -1]))
        answered = hits_so_far + misses_so_far
        precision = np.divide(hits_so_far, answered, out=np.zeros_like(answered), where=answered > 0)
        return np.asarray(np.einsum("ij,ij->i", hits, precision) / hits_so_far[:, -1])

    return area
