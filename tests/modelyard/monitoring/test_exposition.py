from __future__ import annotations

import socket
import threading

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Gauge

from modelyard.errors import ServiceError
from modelyard.monitoring.exposition import metrics_served, serve_metrics
from modelyard.monitoring.metrics import PredictionMetrics


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_figures_have_a_port_of_their_own_that_workers_share() -> None:
    port, metrics = free_port(), PredictionMetrics(CollectorRegistry())
    metrics.count_values(np.zeros(3))
    servers = [serve_metrics(metrics, port) for _ in range(2)]
    for server in servers:
        assert "modelyard_rows_total 3.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        server.shutdown()
        server.server_close()


def test_a_port_that_another_program_has_is_said() -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"^serving.metrics_port {port} cannot be used: Address already in use"):
            serve_metrics(PredictionMetrics(CollectorRegistry()), port)


def test_a_port_that_is_one_searchs_is_no_others_and_is_free_afterwards() -> None:
    port, registry = free_port(), CollectorRegistry()
    Gauge("modelyard_tries", "Tries.", registry=registry).set(2)
    for _ in range(2):
        with metrics_served(registry, port, "tuning.metrics_port"):
            assert "modelyard_tries 2.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
            with (
                pytest.raises(ServiceError, match=rf"^tuning.metrics_port {port} cannot be used: .*; take a free one$"),
                metrics_served(registry, port, "tuning.metrics_port"),
            ):
                pass


def test_no_port_is_none() -> None:
    before = threading.active_count()
    with metrics_served(CollectorRegistry(), None, "tuning.metrics_port"):
        assert threading.active_count() == before
