"""How long one prediction takes: a cost model for the search, a stopwatch for the finalists."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CostModel", "Latency", "calibrate", "measure"]

Score = Callable[[NDArray[np.float32]], NDArray[Any]]

FOREST_ROWS = 512
FOREST_TREES = (10, 100)


@dataclass(frozen=True)
class CostModel:
    """Microseconds of one prediction from its elementary steps, ``base + per_step * steps``.

    The defaults were measured once; with them a search is repeatable on any machine.

    Attributes:
        base: Microseconds of the call itself.
        per_step: Microseconds of one node visited, or one product added up.
    """

    base: float = 8.0
    per_step: float = 0.008

    def microseconds(self, steps: float) -> float:
        """Returns the estimate for a prediction of so many steps."""
        return self.base + self.per_step * steps


@dataclass(frozen=True)
class Latency:
    """What one-row predictions took.

    Attributes:
        median_us: Median, in microseconds.
        p99_us: 99th percentile, in microseconds.
    """

    median_us: float
    p99_us: float


def calibrate() -> CostModel:
    """Fits the cost model to this machine: measures a small and a larger forest; takes less than a second."""
    # a service reads the latency on a card without the packages that compile models
    from modelyard.data.encoding import Feature
    from modelyard.models.compiled import compile_model
    from modelyard.models.scorer import OnnxScorer
    from modelyard.plugins.base import TableShape
    from modelyard.plugins.registry import get_trainer

    rng = np.random.default_rng(0)
    X = rng.random((FOREST_ROWS, 16), dtype=np.float32)
    features = tuple(Feature(f"x{i}", f"x{i}", "number") for i in range(X.shape[1]))
    shape, trainer = TableShape("regression", 0, features, len(X)), get_trainer("extra_trees")
    points = []
    for trees in FOREST_TREES:
        fitted = trainer.fit({"n_estimators": trees, "min_samples_leaf": 4}, X, rng.random(len(X)), shape=shape)
        scorer = OnnxScorer(compile_model(trainer, fitted, shape))
        points.append((trainer.cost(fitted, shape), measure(scorer, X, seconds=0.05).median_us))
    (few, fast), (many, slow) = points
    per_step = max(slow - fast, 0.0) / (many - few)
    return CostModel(max(fast - per_step * few, 0.0), per_step)


def measure(scorer: Score, matrix: NDArray[np.float32], seconds: float = 0.2) -> Latency:
    """Scores one row at a time, one after the other, and takes the time of each.

    Args:
        scorer: What is measured.
        matrix: Rows to take in turn, shape (n, features), n > 0.
        seconds: How long to measure; at least ten calls are made.
    """
    rows = [np.ascontiguousarray(matrix[i : i + 1]) for i in range(min(len(matrix), 1000))]
    for row in rows[:3]:
        scorer(row)
    taken: list[int] = []
    end = time.perf_counter() + seconds
    while len(taken) < 10 or time.perf_counter() < end:
        row = rows[len(taken) % len(rows)]
        start = time.perf_counter_ns()
        scorer(row)
        taken.append(time.perf_counter_ns() - start)
    median, p99 = np.percentile(taken, (50, 99)) / 1000
    return Latency(float(median), float(p99))
