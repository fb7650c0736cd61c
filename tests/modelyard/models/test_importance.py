from __future__ import annotations

import numpy as np

from modelyard.data.encoding import Feature
from modelyard.models.importance import permutation_importance
from modelyard.models.metrics import METRICS

FEATURES = (
    Feature("noise", "noise", "number"),
    Feature("when.days", "when", "number"),
    Feature("when.second", "when", "number"),
    Feature("weight", "weight", "number"),
)


def table(rows: int = 500) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    return X, (X[:, 1] - X[:, 2] + 0.1 * X[:, 3]).astype(np.float64)


def score(matrix: np.ndarray) -> np.ndarray:
    return matrix[:, 1] - matrix[:, 2] + 0.1 * matrix[:, 3]


def test_columns_are_ranked_and_a_datetimes_parts_count_as_one() -> None:
    found = permutation_importance(score, *table(), FEATURES, METRICS["rmse"])
    assert [one.column for one in found] == ["when", "weight", "noise"]
    assert found[0].mean > 5 * found[1].mean > 0
    assert (found[2].mean, found[2].spread) == (0, 0)
    assert found[0].spread > 0


def test_parts_are_shuffled_together() -> None:
    X, _ = table()
    X[:, 2] = X[:, 1]
    y = np.zeros(len(X))
    found = permutation_importance(lambda matrix: matrix[:, 1] - matrix[:, 2], X, y, FEATURES, METRICS["rmse"])
    assert max(abs(one.mean) for one in found) == 0, "their difference stays 0 only where they move together"


def test_work_is_bounded_and_repeatable() -> None:
    sizes = []

    def counting(matrix: np.ndarray) -> np.ndarray:
        sizes.append(len(matrix))
        return score(matrix)

    first = permutation_importance(counting, *table(), FEATURES, METRICS["rmse"], most_rows=100, repeats=2, seed=3)
    assert sizes == [100] * (1 + 3 * 2)
    again = permutation_importance(score, *table(), FEATURES, METRICS["rmse"], most_rows=100, repeats=2, seed=3)
    assert first == again
