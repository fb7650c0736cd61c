"""What a service counts, in Prometheus' terms; no label ever comes from a request."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

__all__ = ["PredictionMetrics"]

# seconds: from a warm model's one row to a request that a proxy would give up on
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class PredictionMetrics:
    """The counters of one service.

    Args:
        registry: Where they are exposed; a process that serves several models needs one for each.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = Counter(
            "modelyard_requests_total", "Requests by route and status.", ["route", "code"], registry=registry
        )
        self._seconds = Histogram(
            "modelyard_request_seconds",
            "Seconds from request to answer.",
            ["route"],
            registry=registry,
            buckets=BUCKETS,
        )
        self._rows = Counter("modelyard_rows_total", "Rows predicted.", registry=registry)
        self._predictions = Counter(
            "modelyard_predictions_total", "Predictions by class.", ["class"], registry=registry
        )

    def observe_request(self, route: str, code: int, seconds: float) -> None:
        """Counts one answered request; `route` is the template, never the path."""
        self._requests.labels(route, str(code)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_values(self, rows: int) -> None:
        """Counts predicted values."""
        self._rows.inc(rows)

    def count_labels(self, classes: Sequence[str]) -> None:
        """Counts predicted classes, given as text."""
        self._rows.inc(len(classes))
        for name, count in Tally(classes).items():
            self._predictions.labels(name).inc(count)
