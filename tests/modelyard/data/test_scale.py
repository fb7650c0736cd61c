from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelyard.data.scale import TargetScale


@pytest.mark.parametrize(
    ("y", "mean", "std"),
    [
        ([10.0, 12.0, 14.0, 16.0], 13.0, 5**0.5),
        ([1, 3], 2.0, 1.0),
        ([True, False, True, False], 0.5, 0.5),
        ([-7.0, -7.0], -7.0, 1.0),
    ],
)
def test_numbers_of_any_type_get_mean_0_and_standard_deviation_1(y: Any, mean: float, std: float) -> None:
    scale = TargetScale.of(np.array(y))
    assert scale.mean == pytest.approx(mean, rel=1e-6)
    assert scale.std == pytest.approx(std, rel=1e-6)
    standardized = scale.standardize(np.array(y))
    assert standardized.mean() == pytest.approx(0, abs=1e-6)
    assert standardized.std() == pytest.approx(float(len(set(y)) > 1), rel=1e-6)
    np.testing.assert_allclose(scale.restore(standardized), y, rtol=1e-14)


@pytest.mark.parametrize("mean", [0.0, 0.1, 1 / 3, -123.4, 9_999.0])
def test_a_float32_graph_can_hold_the_numbers_exactly(mean: float) -> None:
    scale = TargetScale.of(mean + np.random.default_rng(0).normal(0, 1.1, 1000))
    for number in (scale.std, scale.mean / scale.std):
        assert float(np.float32(number)) == number


@pytest.mark.parametrize(
    ("mean", "std", "dtype"),
    [
        (0.0, 1.0, np.float32),
        (1e4, 1.0, np.float32),
        (-1e4, 1.0, np.float32),
        (1.001e4, 1.0, np.float64),
        (-1.001e4, 1.0, np.float64),
        (1e7, 1.0, np.float64),
        (1.7e9, 1000.0, np.float64),
        (1.7e9, 1e6, np.float32),
        (0.0, 1e-40, np.float64),
        (0.0, 1e200, np.float64),
    ],
)
def test_float64_is_for_means_far_from_0_and_for_what_is_beyond_float32(mean: float, std: float, dtype: type) -> None:
    assert TargetScale.of([mean - std, mean + std]).dtype == dtype


def test_a_large_mean_keeps_every_digit() -> None:
    y = 1.7e15 + np.random.default_rng(0).normal(0, 1000, 1000)
    scale = TargetScale.of(y)
    np.testing.assert_array_equal(scale.restore(scale.standardize(y)), y)
