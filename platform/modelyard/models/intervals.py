"""Percentile bootstrap of every metric, vectorised: a resample is a row of weights, drawn once for all figures.

Efron's percentile interval (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from modelyard.models.decisions import count_weighted
from modelyard.models.figures import Figure
from modelyard.models.metrics import METRICS
from modelyard.models.ranking import average_precision, class_areas, roc_area

__all__ = ["bootstrap", "paired_bootstrap", "weighted"]

Floats = NDArray[np.float64]
Labels = NDArray[np.integer] | NDArray[np.floating]
Scores = NDArray[np.floating]
Statistics = Callable[[Floats], dict[str, Floats]]

CLASS_AREAS = ("roc_auc_ovr", "roc_auc_ovo")
RESAMPLES = 500
FEWEST_RESAMPLES = 100
# bounds the time: the intervals of so many rows are narrow, and fewer resamples place their ends well enough
MOST_DRAWS = 10_000_000
# weights held at a time, 32 MB of float64
BLOCK = 4_000_000
# rows times classes up to which areas of several classes get an interval: these sort and sum once a class
MOST_AREA_SCORES = 100_000
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
    found = {name: value for name, value in values.items() if np.isfinite(value)}
    drawn = _replicates(weighted(tuple(found), y, scores), len(y), seed)
    return {name: Figure(value, *_interval(drawn.get(name))) for name, value in found.items()}


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
    a, b = weighted((metric,), y, scores_a), weighted((metric,), y, scores_b)

    def difference(weights: Floats) -> dict[str, Floats]:
        of_a, of_b = a(weights), b(weights)
        return {name: of_a[name] - of_b[name] for name in of_a}

    low, high = _interval(_replicates(difference, len(y), seed).get(metric))
    nan = float("nan")
    return judge(y, scores_a) - judge(y, scores_b), nan if low is None else low, nan if high is None else high


def _interval(replicates: Floats | None) -> tuple[float | None, float | None]:
    finite = np.empty(0) if replicates is None else replicates[np.isfinite(replicates)]
    if not len(finite):
        return None, None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _replicates(statistics: Statistics, rows: int, seed: int) -> dict[str, Floats]:
    blocks: list[dict[str, Floats]] = []
    for weights in _weights(rows, seed):
        with np.errstate(divide="ignore", invalid="ignore"):
            blocks.append(statistics(weights))
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _weights(rows: int, seed: int) -> Iterator[Floats]:
    """Yields blocks of resamples: how often each row was drawn, shape (resamples, rows)."""
    rng = np.random.default_rng(seed)
    left = int(np.clip(MOST_DRAWS // rows, FEWEST_RESAMPLES, RESAMPLES))
    while left:
        size = min(left, max(1, BLOCK // rows))
        drawn = rng.integers(0, rows, (size, rows))
        yield np.stack([np.bincount(row, minlength=rows) for row in drawn]).astype(np.float64)
        left -= size


def weighted(names: tuple[str, ...], y: Labels, scores: Scores) -> Statistics:
    """Returns metrics by name as a function of weights, shape (resamples, n), with one value a resample.

    Metrics of decisions share one count of the rows. Areas of several classes are left out above `MOST_AREA_SCORES`.
    """
    decisions = {name: metric for name in names if (metric := METRICS[name].decision) is not None}
    areas = tuple(name for name in names if name in CLASS_AREAS and scores.size <= MOST_AREA_SCORES)
    single = {name: _single(name, y, scores) for name in names if name not in decisions and name not in CLASS_AREAS}
    count = count_weighted(y.astype(np.int64), scores.argmax(axis=1), scores.shape[1]) if decisions else None
    measure_areas = class_areas(y, np.asarray(scores, dtype=np.float64)) if areas else None

    def statistics(weights: Floats) -> dict[str, Floats]:
        found = {name: statistic(weights) for name, statistic in single.items()}
        if count is not None:
            counts = count(weights)
            found |= {name: metric(counts) for name, metric in decisions.items()}
        if measure_areas is not None:
            measured = measure_areas(weights)
            found |= {name: measured[name] for name in areas}
        return found

    return statistics


def _single(name: str, y: Labels, scores: Scores) -> Callable[[Floats], Floats]:
    if name == "roc_auc":
        return roc_area(y, np.asarray(scores[:, 1], dtype=np.float64))
    if name == "average_precision":
        return average_precision(y, np.asarray(scores[:, 1], dtype=np.float64))
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
    return np.asarray(np.abs(scores - y) if name == "mae" else (scores - y) ** 2)


def _r2(y: Floats, predicted: Floats) -> Callable[[Floats], Floats]:
    centred = y - y.mean()

    def r2(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        spread = weights @ centred**2 - (weights @ centred) ** 2 / total
        return np.asarray(1.0 - weights @ (y - predicted) ** 2 / spread)

    return r2
