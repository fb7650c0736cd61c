from __future__ import annotations

import numpy as np
import pytest

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
