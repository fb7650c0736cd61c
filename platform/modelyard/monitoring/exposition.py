"""The figures on a port of their own, which a network policy can leave to Prometheus."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from modelyard.errors import ServiceError
from modelyard.monitoring.metrics import PredictionMetrics

__all__ = ["metrics_served", "serve_metrics"]


class _Server(ThreadingMixIn, WSGIServer):
    allow_reuse_port = False
    daemon_threads = True


class _Shared(_Server):
    # every worker listens, and each knows what all have counted: the port is there as long as one lives
    allow_reuse_port = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


def serve_metrics(metrics: PredictionMetrics, port: int) -> WSGIServer:
    """Serves a service's figures on all addresses of this machine, by a thread that ends with the process.

    Args:
        metrics: What to expose.
        port: Where; several processes may share it.

    Raises:
        ServiceError: Another program listens there.
    """
    return _start(metrics.everything(), port, "serving.metrics_port", _Shared)


@contextlib.contextmanager
def metrics_served(registry: CollectorRegistry, port: int | None, setting: str) -> Iterator[None]:
    """Serves figures on all addresses of this machine while the context is open.

    Args:
        registry: What to expose.
        port: Where, and nobody else; none: nowhere.
        setting: What gave the port.

    Raises:
        ServiceError: Another program listens there.
    """
    if port is None:
        yield
        return
    server = _start(registry, port, setting, _Server)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _start(registry: CollectorRegistry, port: int, setting: str, kind: type[_Server]) -> WSGIServer:
    try:
        server = make_server("", port, make_wsgi_app(registry), kind, _Quiet)
    except OSError as error:
        raise ServiceError(f"{setting} {port} cannot be used: {error.strerror}; take a free one") from None
    threading.Thread(target=server.serve_forever, name="modelyard-metrics", daemon=True).start()
    return server
