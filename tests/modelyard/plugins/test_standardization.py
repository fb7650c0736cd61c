from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from modelyard.data.encoding import Feature
from modelyard.plugins.base import Fitted, TableShape
from modelyard.plugins.registry import get_trainer
from modelyard.plugins.standardization import fit_standardized, trainer_part
from modelyard.plugins.trainers.linear import Linear

FEATURES = (Feature("a", "a", "number"), Feature("b", "b", "number"))
REGRESSION, BINARY = TableShape("regression", 0, FEATURES, 400), TableShape("binary", 2, FEATURES, 400)
X = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
SIGNAL = X[:, 0].astype(np.float64) + np.random.default_rng(1).normal(0, 0.3, 400)


class Recording(Linear):
    """Keeps the labels that it sees."""

    name = "recording"

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def fit(self, params: Any, X: Any, y: Any, **options: Any) -> Fitted:
        self.seen = [y, options["validation"]]
        return super().fit(params, X, y, **options)


def test_a_trainer_sees_a_standardized_target_and_validation() -> None:
    trainer, y = Recording(), 1e7 + 3 * SIGNAL
    fitted = fit_standardized(trainer, {}, X, y, shape=REGRESSION, validation=(X[:9], y[:9]))
    seen, (rows, held_out) = trainer.seen
    assert (seen.mean(), seen.std()) == pytest.approx((0, 1), abs=1e-6)
    assert rows is not None
    np.testing.assert_array_equal(held_out, seen[:9])
    assert np.corrcoef(fitted.pipeline.predict(X), y)[0, 1] > 0.9
    assert abs(fitted.pipeline.predict(X).mean() - y.mean()) < 1e-6


def test_classes_are_fitted_as_they_are() -> None:
    trainer, y = Recording(), (SIGNAL > 0).astype(np.int64)
    fitted = fit_standardized(trainer, {}, X, y, shape=BINARY)
    assert trainer.seen[0] is y
    assert trainer_part(fitted) is fitted


def test_the_trainer_gets_back_what_it_fitted() -> None:
    trainer = get_trainer("lightgbm")
    fitted = fit_standardized(trainer, {}, X, SIGNAL, shape=REGRESSION, rounds=10)
    own = trainer_part(fitted)
    assert own.pipeline is fitted.pipeline.pipeline
    assert trainer.cost(own, REGRESSION) > 0
    copied = pickle.loads(pickle.dumps(fitted.pipeline))
    np.testing.assert_array_equal(copied.predict(X), fitted.pipeline.predict(X))


@pytest.mark.parametrize("name", ["linear", "hist_gradient_boosting", "lightgbm"])
@pytest.mark.parametrize("y", [np.full(400, 12.5), np.arange(400) % 7, SIGNAL > 0], ids=["constant", "int", "bool"])
def test_targets_of_any_number_type_are_fitted(name: str, y: Any) -> None:
    fitted = fit_standardized(get_trainer(name), {}, X, y, shape=REGRESSION, rounds=3)
    predicted = fitted.pipeline.predict(X)
    assert predicted.dtype == np.float64
    assert predicted.mean() == pytest.approx(np.mean(y), rel=0.02)


@pytest.mark.parametrize(
    ("name", "param", "loss"),
    [
        ("lightgbm", "objective", "poisson"),
        ("lightgbm", "objective", "mape"),
        ("xgboost", "objective", "reg:gamma"),
        ("hist_gradient_boosting", "loss", "poisson"),
        ("random_forest", "criterion", "poisson"),
    ],
)
def test_losses_of_the_target_s_own_unit_are_refused(name: str, param: str, loss: str) -> None:
    with pytest.raises(ValueError, match=f"^{param}='{loss}' needs the target in its own unit"):
        fit_standardized(get_trainer(name), {param: loss}, X, SIGNAL + 9, shape=REGRESSION)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("lightgbm", {"objective": "quantile", "alpha": 0.9}),
        ("xgboost", {"objective": "reg:quantileerror", "quantile_alpha": 0.9}),
        ("hist_gradient_boosting", {"loss": "quantile", "quantile": 0.9}),
    ],
)
def test_a_quantile_stays_the_quantile_of_the_target(name: str, params: dict[str, Any]) -> None:
    y = 1e7 + 1000 * SIGNAL
    fitted = fit_standardized(get_trainer(name), params, X, y, shape=REGRESSION, rounds=60)
    assert 0.85 < np.mean(y <= fitted.pipeline.predict(X)) < 0.97


def test_a_parameter_that_only_sounds_like_a_loss_is_kept() -> None:
    params = {"max_features": "log2", "n_estimators": 2}
    fitted = fit_standardized(get_trainer("random_forest"), params, X, SIGNAL, shape=REGRESSION)
    assert fitted.pipeline.predict(X).shape == SIGNAL.shape
