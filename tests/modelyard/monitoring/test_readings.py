from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from modelyard.monitoring.metrics import PredictionMetrics
from modelyard.monitoring.readings import Reading


@pytest.fixture
def metrics() -> PredictionMetrics:
    made = PredictionMetrics(CollectorRegistry())
    made.expect(["a } b", 'c" d'], [("age", "null")])
    return made


def read(metrics: PredictionMetrics) -> Reading:
    return Reading.parse(metrics.expose().decode())


def test_only_predictions_count(metrics):
    for route in ("/livez", "/metrics", "/api/v1/health", "/v2/models/NAME/ready"):
        metrics.route(route).observe(200, 0.001)
    assert read(metrics) == Reading()
    for route in ("/api/v1/predict", "/predict", "/v2/models/NAME/infer"):
        metrics.route(route).observe(200, 0.001)
    assert read(metrics).requests == 3


def test_codes_are_told_apart(metrics):
    for code in (200, 200, 422, 429, 499, 500, 503):
        metrics.route("/predict").observe(code, 0.001)
    found = read(metrics)
    assert (found.requests, found.errors, found.refused) == (7, 2, 1)


def test_quantiles_are_interpolated_as_prometheus_does(metrics):
    route = metrics.route("/predict")
    assert read(metrics).quantile(0.99) is None
    for _ in range(50):
        route.observe(200, 0.0006)
    for _ in range(50):
        route.observe(200, 0.02)
    found = read(metrics)
    assert found.quantile(0.25) == pytest.approx(0.00075)
    assert found.quantile(0.75) == pytest.approx(0.01 + 0.015 / 2)


def test_beyond_the_last_bound_the_last_bound_is_told(metrics):
    metrics.route("/predict").observe(200, 3.0)
    assert read(metrics).quantile(0.99) == 1.0


def test_what_came_between_two_readings(metrics):
    route = metrics.route("/predict")
    route.observe(500, 0.6)
    before = read(metrics)
    for _ in range(100):
        route.observe(200, 0.0006)
    since = read(metrics).since(before)
    assert (since.requests, since.errors) == (100, 0)
    assert since.quantile(0.99) < 0.001


def test_a_service_that_was_started_again_counts_from_zero(metrics):
    metrics.route("/predict").observe(200, 0.001)
    earlier = Reading.total([read(metrics)] * 5)
    assert read(metrics).since(earlier).requests == 1


def test_predictions_are_told_by_class(metrics):
    metrics.count_codes(np.array([0, 1, 0]))
    assert read(metrics).predictions == {"a } b": 2, r"c\" d": 1}


def test_predictions_are_told_by_the_bin_of_their_value():
    metrics = PredictionMetrics(CollectorRegistry())
    metrics.expect([], [], (1.0, 2.5))
    metrics.count_values(np.array([0.5, 2.0, 2.1, 7.0]))
    before = read(metrics)
    assert before.predictions == {"up to 1.0": 1, "up to 2.5": 2, "up to inf": 1}
    metrics.count_values(np.array([2.0]))
    assert read(metrics).since(before).predictions == {"up to 1.0": 0, "up to 2.5": 1, "up to inf": 0}
    assert Reading.total([before, before]).predictions.total() == 8


def test_services_add_up(metrics):
    metrics.route("/predict").observe(200, 0.001)
    total = Reading.total([read(metrics)] * 3)
    assert (total.requests, total.by_bound[float("inf")]) == (3, 3)
    assert Reading.total([]).requests == 0
