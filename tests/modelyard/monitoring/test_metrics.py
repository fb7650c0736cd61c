from __future__ import annotations

from prometheus_client import CollectorRegistry

from modelyard.monitoring.metrics import PredictionMetrics


def test_counts_rows_classes_and_requests() -> None:
    registry = CollectorRegistry()
    metrics = PredictionMetrics(registry)
    metrics.count_labels(["a", "b", "a"])
    metrics.count_values(4)
    metrics.observe_request("/api/v1/predict", 200, 0.002)
    metrics.observe_request("/api/v1/predict", 422, 0.2)
    assert registry.get_sample_value("modelyard_rows_total") == 7
    assert registry.get_sample_value("modelyard_predictions_total", {"class": "a"}) == 2
    assert registry.get_sample_value("modelyard_requests_total", {"route": "/api/v1/predict", "code": "422"}) == 1
    bucket = {"route": "/api/v1/predict", "le": "0.0025"}
    assert registry.get_sample_value("modelyard_request_seconds_bucket", bucket) == 1


def test_two_services_in_one_process_do_not_meet() -> None:
    first, second = PredictionMetrics(CollectorRegistry()), PredictionMetrics(CollectorRegistry())
    first.count_values(1)
    assert second.registry.get_sample_value("modelyard_rows_total") == 0
