from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.models.latency import CostModel, calibrate, measure


def test_the_default_cost_model_never_changes() -> None:
    assert CostModel().microseconds(1000) == CostModel().microseconds(1000) == pytest.approx(16.0)
    assert CostModel(base=5, per_step=0.01).microseconds(300) == pytest.approx(8)


def test_calibration_measures_this_machine() -> None:
    model = calibrate()
    assert model.base >= 0
    assert model.per_step >= 0
    assert 0 < model.microseconds(1000) < 10_000


def test_rows_are_measured_one_at_a_time() -> None:
    shapes = set()
    asked = []

    def scorer(row: NDArray[np.float32]) -> NDArray[np.float32]:
        shapes.add(row.shape)
        asked.append(row[0, 0])
        return row

    latency = measure(scorer, np.arange(20, dtype=np.float32).reshape(5, 4), seconds=0.0)
    assert shapes == {(1, 4)}
    assert set(asked) == {0, 4, 8, 12, 16}
    assert 0 < latency.median_us <= latency.p99_us


def test_a_slower_scorer_takes_longer() -> None:
    matrix = np.ones((3, 4), dtype=np.float32)
    large = np.ones((400, 400))
    fast = measure(lambda row: row, matrix, seconds=0.02)
    slow = measure(lambda row: (large @ large)[:1], matrix, seconds=0.05)  # noqa: ARG005
    assert slow.median_us > 2 * fast.median_us
