from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from modelyard.errors import ConfigError
from modelyard.models.metrics import METRICS, get_metric


def test_defaults_by_task() -> None:
    assert get_metric("auto", "binary").name == "roc_auc"
    assert get_metric("auto", "multiclass").name == "log_loss"
    assert get_metric("auto", "regression").name == "rmse"


def test_a_metric_of_another_task_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"ml\.metric.*'roc_auc'.*regression task.*rmse"):
        get_metric("roc_auc", "regression")
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        get_metric("acuracy", "multiclass")


def answers(classes: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Codes and probabilities with ties; the last class is never predicted."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, rows)
    odds = np.round(rng.random((rows, classes)) + 0.5 * np.eye(classes)[y], 1) + 0.05
    odds[:, -1] = 0.05 if classes > 2 else odds[:, -1]
    return y, odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_decision_metrics_equal_scikit_learns(classes) -> None:
    y, p = answers(classes)
    predicted = p.argmax(axis=1)
    own = "binary" if classes == 2 else "macro"
    expected = {
        "accuracy": sk.accuracy_score(y, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(y, predicted),
        "mcc": sk.matthews_corrcoef(y, predicted),
    }
    for name in ("precision", "recall", "f1"):
        function = getattr(sk, f"{name}_score")
        expected[name] = function(y, predicted, average=own, zero_division=0)
        for average in ("macro", "weighted"):
            expected[f"{name}_{average}"] = function(y, predicted, average=average, zero_division=0)
    found = {name: metric(y, p) for name, metric in METRICS.items() if metric.decision is not None}
    assert found == pytest.approx(expected)


def test_decision_metrics_of_one_answer_equal_scikit_learns() -> None:
    y, p = np.array([0, 0, 1]), np.tile([0.9, 0.1], (3, 1))
    assert METRICS["mcc"](y, p) == 0
    assert METRICS["precision"](y, p) == 0
    assert METRICS["f1_macro"](y, p) == pytest.approx(sk.f1_score(y, [0, 0, 0], average="macro"))


@pytest.mark.parametrize("classes", [3, 7])
def test_areas_of_several_classes_equal_scikit_learns(classes) -> None:
    y, p = answers(classes)
    for way in ("ovr", "ovo"):
        assert METRICS[f"roc_auc_{way}"](y, p) == pytest.approx(sk.roc_auc_score(y, p, multi_class=way))
    assert np.isnan(METRICS["roc_auc_ovr"](np.zeros_like(y), p))


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_utility_is_greater_for_better_answers(metric) -> None:
    rng = np.random.default_rng(0)
    if "regression" in metric.tasks:
        y = rng.normal(size=200)
        good, bad = y + 0.1 * rng.normal(size=200), rng.normal(size=200)
    else:
        y = rng.integers(0, 2, 200)
        sure = np.clip(y * 0.8 + 0.1 + 0.05 * rng.normal(size=200), 0, 1)
        good, bad = np.stack([1 - sure, sure], 1), np.tile([0.51, 0.49], (200, 1))
    assert metric.utility(metric(y, good)) > metric.utility(metric(y, bad))


def test_one_class_only_gives_nan_and_no_warning() -> None:
    assert np.isnan(METRICS["roc_auc"](np.zeros(5, np.int64), np.full((5, 2), 0.5)))


def test_log_loss_of_a_certain_wrong_answer_is_finite() -> None:
    assert METRICS["log_loss"](np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-7))
