from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, matthews_corrcoef

from modelyard.errors import TrainingError
from modelyard.models.calibration import Calibration, tuned_threshold
from modelyard.models.metrics import METRICS


def draw(classes: int, n: int = 20_000) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels that follow their probabilities."""
    rng = np.random.default_rng(0)
    scores = np.exp(rng.normal(size=(n, classes)) * 1.5)
    p = scores / scores.sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return np.minimum(y, classes - 1), p


@pytest.mark.parametrize("classes", [2, 4])
def test_calibrated_probabilities_stay(classes: int) -> None:
    y, p = draw(classes)
    calibration = Calibration.fit(y, p)
    assert calibration.scale == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(calibration.bias, 0, atol=0.1)


@pytest.mark.parametrize("classes", [2, 4])
def test_distorted_probabilities_are_mended(classes: int) -> None:
    y, p = draw(classes)
    distorted = p**2 * np.arange(1, classes + 1)
    distorted /= distorted.sum(axis=1, keepdims=True)
    calibration = Calibration.fit(y, distorted)
    assert calibration.scale == pytest.approx(0.5, abs=0.03)
    mended = calibration.apply(distorted)
    np.testing.assert_allclose(mended.sum(axis=1), 1)
    assert log_loss(y, mended) < log_loss(y, distorted) - 0.02
    assert log_loss(y, mended) == pytest.approx(log_loss(y, p), abs=2e-3)


def test_rows_without_a_prediction_are_left_out() -> None:
    y, p = draw(2, 500)
    holes = p.astype(np.float32)
    holes[::3] = np.nan
    known = np.isfinite(holes[:, 0])
    assert Calibration.fit(y, holes) == Calibration.fit(y[known], holes[known])
    with pytest.raises(TrainingError, match="no row has an out-of-fold prediction"):
        Calibration.fit(y, np.full_like(p, np.nan))


def test_a_class_without_rows_keeps_a_finite_bias() -> None:
    y, p = draw(3, 500)
    calibration = Calibration.fit(np.minimum(y, 1), p)
    assert np.isfinite(calibration.bias).all()
    assert np.isfinite(calibration.apply(np.array([[1.0, 0.0, 0.0]]))).all()


@pytest.mark.parametrize("seed", range(3))
def test_threshold_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = (rng.random(300) < 0.15).astype(np.int64)
    p = np.clip(0.1 * y + rng.normal(0.15, 0.1, 300), 0, 1).round(2)
    best = max(balanced_accuracy_score(y, p > cut) for cut in np.linspace(0, 1, 201))
    threshold = tuned_threshold(y, p)
    assert balanced_accuracy_score(y, p > threshold) == pytest.approx(best)
    assert np.abs(p - threshold).min() > 1e-4, "halfway between probabilities that occur"


@pytest.mark.parametrize(
    ("name", "judge"),
    [
        ("f1", f1_score),
        ("accuracy", accuracy_score),
        ("mcc", matthews_corrcoef),
        ("f1_macro", partial(f1_score, average="macro")),
    ],
)
def test_threshold_is_the_best_of_another_metric(name: str, judge: Callable[..., float]) -> None:
    y, p = draw(2, 300)
    decision = METRICS[name].decision
    assert decision is not None
    threshold = tuned_threshold(y, p[:, 1], decision)
    levels = np.unique(p[:, 1])
    best = max(judge(y, p[:, 1] > cut) for cut in (levels[1:] + levels[:-1]) / 2)
    assert judge(y, p[:, 1] > threshold) == pytest.approx(best)


def test_threshold_without_a_choice_is_one_half() -> None:
    assert tuned_threshold(np.array([0, 1]), np.array([0.3, 0.3])) == 0.5
    assert tuned_threshold(np.array([1, 1]), np.array([0.3, 0.4])) == 0.5
