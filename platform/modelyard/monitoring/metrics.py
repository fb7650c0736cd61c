"""What a service counts, in Prometheus' terms; no label ever comes from a request.

With several workers, prometheus-client keeps the figures in files of the folder that PROMETHEUS_MULTIPROC_DIR names;
a worker that dies leaves what it counted. Writing there takes longer than a small model's prediction, so what every
request counts is kept in plain numbers first, and `PredictionMetrics.flush` writes it.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from modelyard.monitoring.cells import CellMetrics

__all__ = ["PredictionMetrics", "RouteMetrics"]

# seconds: from a small model's one row to a request that a proxy would give up on
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class RouteMetrics:
    """Counts the answered requests of one route.

    Args:
        requests: The counter of all routes.
        seconds: The histogram of all routes.
        labels: Model, version, and the route's template.

    Attributes:
        route: The template.
        pending: Seconds of answers with status 200 that are not written yet; to be appended to.
    """

    def __init__(self, requests: Counter, seconds: Histogram, labels: tuple[str, str, str]) -> None:
        self._requests, self._labels = requests, labels
        self.route = labels[2]
        self._ok = requests.labels(*labels, "200")
        self._seconds = seconds.labels(*labels)
        self.pending: list[float] = []

    def observe(self, code: int, seconds: float) -> None:
        """Counts one answer."""
        self._requests.labels(*self._labels, str(code)).inc()
        self._seconds.observe(seconds)

    def flush(self) -> None:
        """Writes what is pending."""
        if not self.pending:
            return
        pending, self.pending[:] = self.pending[:], ()
        buckets = [0] * (len(BUCKETS) + 1)
        for seconds in pending:
            buckets[bisect_left(BUCKETS, seconds)] += 1
        # there is no way to observe many at once but these two attributes
        for place, count in enumerate(buckets):
            if count:
                self._seconds._buckets[place].inc(count)
        self._seconds._sum.inc(sum(pending))
        self._ok.inc(len(pending))


class PredictionMetrics:
    """The counters of one service.

    Args:
        registry: Where they are exposed; a process that serves several models needs one for each.
        model: Name of the model.
        version: Its version.

    Attributes:
        registry: As given.
        cells: Counts rows by column and bin; none where drift is not counted.
        at_flush: What else has figures to write as often.
    """

    def __init__(self, registry: CollectorRegistry, model: str = "", version: str = "") -> None:
        self.registry = registry
        self.cells: CellMetrics | None = None
        self.at_flush: list[Callable[[], None]] = []
        self._model = (model, version)
        self._requests = Counter(
            "modelyard_requests_total",
            "Requests by model, version, route and status.",
            ["model", "version", "route", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "modelyard_request_seconds",
            "Seconds from request to answer.",
            ["model", "version", "route"],
            registry=registry,
            buckets=BUCKETS,
        )
        self._rows = Counter("modelyard_rows_total", "Rows predicted.", registry=registry)
        self._predictions = Counter(
            "modelyard_predictions_total", "Predictions by class.", ["class"], registry=registry
        )
        self._violations = Counter(
            "modelyard_contract_violations_total",
            "Values that left the contract and were accepted, by column and kind: null, unknown, range.",
            ["column", "kind"],
            registry=registry,
        )
        self._handed_on = Counter(
            "modelyard_handed_on_total",
            "Answered requests that the fast way handed on to the decoder that explains.",
            registry=registry,
        )
        self._cpu = Counter("modelyard_cpu_seconds_total", "Seconds of CPU that the process spent.", registry=registry)
        self._cpu_counted = 0.0
        self._by_class: list[Counter] = []
        self._values: Histogram | None = None
        self._edges = np.empty(0)
        self._routes: dict[str, RouteMetrics] = {}

    def describe(self, about: Mapping[str, str], requests_per_cpu_s: float | None = None) -> None:
        """Says what is served.

        Args:
            about: Labels of a series that is always 1, beside model and version.
            requests_per_cpu_s: What was measured of the bento; none: nothing was.
        """
        what = {"model": self._model[0], "version": self._model[1], **about}
        info = Gauge(
            "modelyard_model_info", "What is served.", list(what), registry=self.registry, multiprocess_mode="max"
        )
        info.labels(**what).set(1)
        if requests_per_cpu_s is not None:
            measured = Gauge(
                "modelyard_capacity_requests_per_cpu_second",
                "Requests of one row for each second of CPU, as measured when the bento was packed.",
                ["model", "version"],
                registry=self.registry,
                multiprocess_mode="max",
            )
            measured.labels(*self._model).set(requests_per_cpu_s)

    def expect(
        self, classes: Iterable[str], violations: Iterable[tuple[str, str]], edges: Sequence[float] = ()
    ) -> None:
        """Makes every series of a model, at 0, so that a rate over the first of them is right.

        Args:
            classes: That it predicts; none where it predicts values.
            violations: Columns, and in which way a row can leave the contract there.
            edges: Inner edges of the bins in which values are counted; none: they are not.
        """
        self._by_class = [self._predictions.labels(name) for name in classes]
        if edges and not self._by_class:
            self._edges = np.array(edges, dtype=np.float64)
            self._values = Histogram(
                "modelyard_prediction_value", "Predicted values.", registry=self.registry, buckets=edges
            )
        for column, kind in violations:
            self._violations.labels(column, kind)

    def route(self, template: str) -> RouteMetrics:
        """Returns the counters of a route; its template, never a path."""
        if template not in self._routes:
            self._routes[template] = RouteMetrics(self._requests, self._seconds, (*self._model, template))
        return self._routes[template]

    def count_values(self, values: NDArray[np.floating]) -> None:
        """Counts predicted values."""
        self._rows.inc(len(values))
        if self._values is None:
            return
        counts = np.bincount(np.searchsorted(self._edges, values), minlength=len(self._edges) + 1)
        for place, count in enumerate(counts.tolist()):
            if count:
                self._values._buckets[place].inc(count)
        self._values._sum.inc(float(values.sum()))

    def count_codes(self, codes: NDArray[np.int64]) -> None:
        """Counts predicted classes, given by their codes."""
        self._rows.inc(len(codes))
        for code, count in enumerate(np.bincount(codes, minlength=len(self._by_class)).tolist()):
            if count:
                self._by_class[code].inc(count)

    def count_violation(self, column: str, kind: str, rows: int) -> None:
        """Counts rows that left the contract and were accepted."""
        self._violations.labels(column, kind).inc(rows)

    def count_handed_on(self) -> None:
        """Counts a request that was answered, but not the fast way."""
        self._handed_on.inc()

    def flush(self) -> None:
        """Writes what is pending; by the thread that counts, often enough that a dying worker takes little with it."""
        spent = time.process_time()
        self._cpu.inc(spent - self._cpu_counted)
        self._cpu_counted = spent
        for route in self._routes.values():
            route.flush()
        for act in self.at_flush:
            act()

    def expose(self) -> bytes:
        """Returns all flushed figures, those of a service's other workers included, as Prometheus reads them."""
        return generate_latest(self.everything())

    def everything(self) -> CollectorRegistry:
        """Returns what collects the figures of all workers, or of this process where it is the only one."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return self.registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry
