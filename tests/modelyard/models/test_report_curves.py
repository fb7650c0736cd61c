"""Curves and calibration in the report of a classifier, for two classes and for more."""

from __future__ import annotations

import numpy as np
import pytest

from modelyard.models.evaluation import evaluate_classification_model

RNG = np.random.default_rng(0)
ROWS = 600


def test_two_classes_are_judged_by_the_probability_of_the_second() -> None:
    actual = RNG.integers(0, 2, ROWS)
    probability = np.clip(0.3 * actual + 0.7 * RNG.random(ROWS), 0, 1)
    report = evaluate_classification_model(actual, (probability > 0.5).astype(int), probability)
    assert [curve.name for curve in report.roc] == [curve.name for curve in report.precision_recall] == ["1"]
    assert sum(each.rows for each in report.calibration) == ROWS
    assert sum(each.rows * each.observed for each in report.calibration) == pytest.approx(actual.sum())
    assert sum(each.rows * each.predicted for each in report.calibration) == pytest.approx(probability.sum())


def test_more_classes_are_judged_by_the_probability_of_the_answer() -> None:
    actual = RNG.integers(0, 3, ROWS)
    probabilities = RNG.dirichlet(np.ones(3), ROWS) + np.eye(3)[actual]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    answered = probabilities.argmax(axis=1)
    report = evaluate_classification_model(actual, answered, probabilities)
    assert [curve.name for curve in report.roc] == ["0", "1", "2"]
    assert sum(each.rows * each.observed for each in report.calibration) == pytest.approx((answered == actual).sum())
    assert sum(each.rows * each.predicted for each in report.calibration) == pytest.approx(
        probabilities.max(axis=1).sum()
    )
