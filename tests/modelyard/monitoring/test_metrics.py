from __future__ import annotations

import time

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from figures import figure
from modelyard.monitoring.metrics import PredictionMetrics


def test_counts_rows_classes_and_requests() -> None:
    registry = CollectorRegistry()
    metrics = PredictionMetrics(registry)
    metrics.expect(["a", "b"], [("age", "null")])
    metrics.count_codes(np.array([0, 1, 0]))
    metrics.count_values(np.zeros(4))
    metrics.route("/api/v1/predict").observe(200, 0.002)
    metrics.route("/api/v1/predict").observe(422, 0.2)
    assert figure(registry, "modelyard_rows_total") == 7
    assert figure(registry, "modelyard_predictions_total", **{"class": "a"}) == 2
    assert figure(registry, "modelyard_requests_total", route="/api/v1/predict", code="422") == 1
    bucket = {"route": "/api/v1/predict", "le": "0.0025"}
    assert figure(registry, "modelyard_request_seconds_bucket", **bucket) == 1


def test_every_series_of_a_model_is_there_at_zero() -> None:
    registry = CollectorRegistry()
    PredictionMetrics(registry).expect(["yes", "no"], [("age", "null"), ("job", "unknown")])
    assert figure(registry, "modelyard_predictions_total", **{"class": "no"}) == 0
    violation = {"column": "job", "kind": "unknown"}
    assert figure(registry, "modelyard_contract_violations_total", **violation) == 0


def test_what_is_pending_becomes_what_observing_it_would_have_been() -> None:
    seconds = [0.00005, 0.0001, 0.0003, 0.02, 7.0]
    pending, observed = PredictionMetrics(CollectorRegistry()), PredictionMetrics(CollectorRegistry())
    for one in seconds:
        pending.route("/predict").pending.append(one)
        observed.route("/predict").observe(200, one)
    pending.flush()
    pending.flush()

    def figures(metrics: PredictionMetrics) -> list[str]:
        return [
            line for line in metrics.expose().decode().splitlines() if "_created" not in line and "_cpu_" not in line
        ]

    assert figures(pending) == figures(observed)


def test_values_are_counted_in_their_bins() -> None:
    metrics = PredictionMetrics(CollectorRegistry())
    metrics.expect([], [], (1.0, 2.5))
    assert figure(metrics.registry, "modelyard_prediction_value_bucket", le="+Inf") == 0
    metrics.count_values(np.array([-3.0, 1.0, 1.1, 2.5, 40.0], dtype=np.float32))
    found = [
        figure(metrics.registry, "modelyard_prediction_value_bucket", le=bound) for bound in ("1.0", "2.5", "+Inf")
    ]
    assert found == [2, 4, 5]
    assert figure(metrics.registry, "modelyard_prediction_value_sum") == pytest.approx(41.6)
    assert figure(metrics.registry, "modelyard_rows_total") == 5


def test_two_services_in_one_process_do_not_meet() -> None:
    first, second = PredictionMetrics(CollectorRegistry()), PredictionMetrics(CollectorRegistry())
    first.count_values(np.zeros(1))
    assert figure(second.registry, "modelyard_rows_total") == 0


def test_the_cpu_of_the_process_is_counted() -> None:
    metrics = PredictionMetrics(CollectorRegistry())
    before = time.process_time()
    metrics.flush()
    while time.process_time() < before + 0.05:
        pass
    metrics.flush()
    assert before + 0.05 <= figure(metrics.registry, "modelyard_cpu_seconds_total") <= time.process_time()


def test_a_series_says_what_is_served_and_what_was_measured() -> None:
    metrics = PredictionMetrics(CollectorRegistry(), "people", "abc")
    metrics.describe({"contract_digest": "d", "trained_at": "2026-11-27"}, 9000.0)
    labels = {"model": "people", "version": "abc"}
    assert figure(metrics.registry, "modelyard_model_info", contract_digest="d", **labels) == 1
    assert figure(metrics.registry, "modelyard_capacity_requests_per_cpu_second", **labels) == 9000
