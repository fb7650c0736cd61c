"""Metrics on a port of their own, which a network policy can leave to Prometheus.

One thread answers, whatever the number of connections; idle and slow ones cost a socket each, up to a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, make_wsgi_app

from modelyard.errors import ServiceError
from modelyard.monitoring.metrics import PredictionMetrics

__all__ = ["MetricsServer", "metrics_served", "serve_metrics"]

# Prometheus keeps one connection, or two while it is restarted
MAX_CONNECTIONS = 32
MAX_HEAD_BYTES = 16 * 1024
DEADLINE_S = 10.0
CLIENT_ERRORS = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError)


class MetricsServer:
    """Answers ``GET /metrics`` until it is closed.

    A connection gets one answer and ends, at the latest after 10 s. One more than the limit ends the oldest, so that a
    scrape is answered however many connections others hold.

    Args:
        registry: What to expose.
        port: Port on all addresses of this machine.
        shared: Whether other processes may listen on the same port.

    Raises:
        OSError: Another program listens there.
    """

    def __init__(self, registry: CollectorRegistry, port: int, *, shared: bool = False) -> None:
        self._expose = make_wsgi_app(registry)
        self._socket = socket.create_server(("", port), reuse_port=shared)
        self._open: list[asyncio.StreamWriter] = []
        self._loop, self._closed = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="modelyard-metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening and ends all connections."""
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, sock=self._socket, limit=MAX_HEAD_BYTES)
        await self._closed.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.append(writer)
        if len(self._open) > MAX_CONNECTIONS:
            self._open.pop(0).transport.abort()
        try:
            async with asyncio.timeout(DEADLINE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                writer.close()
                await writer.wait_closed()
        except CLIENT_ERRORS:
            pass  # the client is late, gone, or speaks no HTTP
        finally:
            writer.transport.abort()
            if writer in self._open:
                self._open.remove(writer)

    def _answer(self, head: bytes) -> bytes:
        request, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, _, target = request.partition(" ")
        path, _, query = target.partition(" ")[0].partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_ACCEPT": headers.get("accept", ""),
            "HTTP_ACCEPT_ENCODING": headers.get("accept-encoding", ""),
        }
        answer: list[Any] = []
        body = b"".join(self._expose(environ, lambda *status_and_headers: answer.extend(status_and_headers)))
        status, fields = answer
        fields = [*fields, ("Content-Length", len(body)), ("Connection", "close")]
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields), "", ""]
        return "\r\n".join(lines).encode() + body


def serve_metrics(metrics: PredictionMetrics, port: int) -> MetricsServer:
    """Serves a service's metrics on all addresses of this machine, by a thread that ends with the process.

    Every worker listens, and each knows what all have counted: the port answers as long as one lives.

    Args:
        metrics: What to expose.
        port: Port, which several processes may share.

    Raises:
        ServiceError: Another program listens there.
    """
    return _start(metrics.everything(), port, "serving.metrics_port", shared=True)


@contextlib.contextmanager
def metrics_served(registry: CollectorRegistry, port: int | None, setting: str) -> Iterator[None]:
    """Serves metrics on all addresses of this machine while the context is open.

    Args:
        registry: What to expose.
        port: Port, which no other process may share. None disables it.
        setting: Setting that the port comes from, for the error.

    Raises:
        ServiceError: Another program listens there.
    """
    if port is None:
        yield
        return
    server = _start(registry, port, setting, shared=False)
    try:
        yield
    finally:
        server.close()


def _start(registry: CollectorRegistry, port: int, setting: str, *, shared: bool) -> MetricsServer:
    try:
        return MetricsServer(registry, port, shared=shared)
    except OSError as error:
        raise ServiceError(f"{setting} {port} cannot be used: {error.strerror}; take a free one") from None
