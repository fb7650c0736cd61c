"""The figures on a port of their own, which a network policy can leave to Prometheus."""

from __future__ import annotations

import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from modelyard.errors import ServiceError
from modelyard.monitoring.metrics import PredictionMetrics

__all__ = ["serve_metrics"]


class _Server(ThreadingMixIn, WSGIServer):
    # every worker listens, and each knows what all have counted: the port is there as long as one lives
    allow_reuse_port = True
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Says nothing."""


def serve_metrics(metrics: PredictionMetrics, port: int) -> WSGIServer:
    """Serves the figures on all addresses of this machine, by a thread that ends with the process.

    Args:
        metrics: What to expose.
        port: Where; several processes may share it.

    Raises:
        ServiceError: Another program listens there.
    """
    try:
        server = make_server("", port, make_wsgi_app(metrics.everything()), _Server, _Quiet)
    except OSError as error:
        raise ServiceError(f"serving.metrics_port {port} cannot be used: {error.strerror}") from None
    threading.Thread(target=server.serve_forever, name="modelyard-metrics", daemon=True).start()
    return server
