"""Curves and tables of a classifier, against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    auc,
    balanced_accuracy_score,
    precision_recall_fscore_support,
    roc_auc_score,
)
from sklearn.metrics import confusion_matrix as sklearn_confusion

from modelyard.models.curves import (
    MOST_POINTS,
    calibration_bins,
    calibration_error,
    class_figures,
    confusion_matrix,
    precision_recall,
    receiver_operating,
    threshold_table,
)

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 3000)
PROBABILITY = np.clip(0.3 * Y + RNG.random(3000) * 0.7, 0, 1)


def test_confusion_and_figures_of_classes_are_scikit_learn_s() -> None:
    actual, answered = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 0])
    confusion = confusion_matrix(actual, answered, 3)
    assert confusion == tuple(map(tuple, sklearn_confusion(actual, answered).tolist()))
    figures = class_figures(confusion, ("a", "b", "c"))
    expected = precision_recall_fscore_support(actual, answered, zero_division=0)
    found = np.array([(each.precision, each.recall, each.f1, each.rows) for each in figures]).T
    np.testing.assert_allclose(found, expected)
    assert [each.label for each in figures] == ["a", "b", "c"]


@pytest.mark.parametrize("rows", [3, 50, MOST_POINTS, 3000])
def test_a_thinned_roc_curve_keeps_its_ends_its_area_and_its_bound_of_points(rows: int) -> None:
    y, probability = np.r_[0, 1, Y[2:rows]], PROBABILITY[:rows]
    curve = receiver_operating(y, probability, "yes")
    assert curve.name == "yes"
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert len(curve.x) == len(curve.y) <= MOST_POINTS
    assert list(curve.x) == sorted(curve.x)
    assert auc(curve.x, curve.y) == pytest.approx(roc_auc_score(y, probability), abs=1e-3)


def test_a_long_curve_keeps_most_of_the_points_that_it_may_have() -> None:
    assert len(receiver_operating(Y, PROBABILITY, "yes").x) > MOST_POINTS / 2


def test_a_precision_recall_curve_goes_from_all_rows_to_none() -> None:
    curve = precision_recall(Y, PROBABILITY, "yes")
    assert (curve.x[0], curve.y[0]) == (1.0, pytest.approx(Y.mean(), abs=1e-6))
    assert (curve.x[-1], curve.y[-1]) == (0.0, 1.0)
    assert list(curve.x) == sorted(curve.x, reverse=True)


def test_calibration_bins_hold_equally_many_rows_and_all_of_them() -> None:
    bins = calibration_bins(Y == 1, PROBABILITY)
    assert [each.rows for each in bins] == [300] * 10
    order = np.argsort(PROBABILITY)
    for number, each in enumerate(bins):
        inside = order[300 * number : 300 * (number + 1)]
        assert each.predicted == pytest.approx(PROBABILITY[inside].mean())
        assert each.observed == pytest.approx(Y[inside].mean())


def test_equal_probabilities_share_a_bin() -> None:
    bins = calibration_bins(np.array([True, False, True, True]), np.array([0.2, 0.2, 0.2, 0.9]))
    assert [(each.rows, each.observed) for each in bins] == [(3, pytest.approx(2 / 3)), (1, 1.0)]
    assert calibration_error(bins) == pytest.approx((3 * abs(0.2 - 2 / 3) + abs(0.9 - 1)) / 4)


def test_a_threshold_table_says_what_each_threshold_would_answer() -> None:
    table = threshold_table(Y, PROBABILITY, 0.333)
    steps = sorted([*np.round(np.arange(1, 20) * 0.05, 2), 0.333])
    assert [each.threshold for each in table] == pytest.approx(steps)
    for each in table:
        answered = (each.threshold < PROBABILITY).astype(int)
        precision, recall, f1, _ = precision_recall_fscore_support(Y, answered, average="binary", zero_division=0)
        assert (each.precision, each.recall, each.f1) == pytest.approx((precision, recall, f1))
        assert each.balanced_accuracy == pytest.approx(balanced_accuracy_score(Y, answered))
        assert each.accuracy == pytest.approx(accuracy_score(Y, answered))
        assert each.positives == pytest.approx(answered.mean())


def test_a_row_at_the_threshold_is_negative_and_nothing_is_divided_by_zero() -> None:
    (at,) = (each for each in threshold_table(np.array([1, 0]), np.array([0.5, 0.1]), 0.5) if each.threshold == 0.5)
    assert (at.precision, at.recall, at.f1, at.accuracy, at.positives) == (0.0, 0.0, 0.0, 0.5, 0.0)
    alone = threshold_table(np.array([1, 1]), np.array([0.5, 0.1]), 0.3)
    assert all(each.balanced_accuracy == (each.recall + 1) / 2 for each in alone)
