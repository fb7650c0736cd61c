from __future__ import annotations

import contextlib
import socket
import threading

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Gauge

from modelyard.errors import ServiceError
from modelyard.monitoring.exposition import MAX_CONNECTIONS, metrics_served, serve_metrics
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
        server.close()


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


def test_connections_cost_no_thread_and_do_not_keep_a_scrape_out() -> None:
    port, registry = free_port(), CollectorRegistry()
    Gauge("modelyard_tries", "Tries.", registry=registry).set(2)
    with metrics_served(registry, port, "tuning.metrics_port"):
        before = threading.active_count()
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(4 * MAX_CONNECTIONS)]
        for half in idle[::2]:
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost:")
        assert "modelyard_tries 2.0" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert threading.active_count() == before
        idle[0].settimeout(10)
        assert ended(idle[0]), "the oldest ones were ended"
        for each in idle:
            each.close()


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_late_client_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.monitoring.exposition.DEADLINE_S", 0.05)
    port = free_port()
    with metrics_served(CollectorRegistry(), port, "tuning.metrics_port"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as late:
            assert ended(late)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as long:
            with contextlib.suppress(OSError):
                long.sendall(b"GET /" + b"a" * 100_000)
            assert ended(long)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n", b"200 OK"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"\xff\x00\r\n\r\n", b"405 Method Not Allowed"),
        (b"\r\n\r\n", b"405 Method Not Allowed"),
    ],
)
def test_every_request_has_one_answer(request_: bytes, status: bytes) -> None:
    port = free_port()
    with (
        metrics_served(CollectorRegistry(), port, "tuning.metrics_port"),
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        client.sendall(request_)
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 " + status)
