"""uvicorn's HTTP protocol with limits on connections: their number, their heads, and how long they wait for a client.

An ASGI application sees a request once its head is complete, so it can bound none of this, and uvicorn bounds only the
time between two requests. `install` replaces the protocol of one uvicorn at its lifespan event, which comes before
uvicorn listens. That works wherever the application runs: in our own entry points, under the `uvicorn` command and in
BentoML's workers.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any

import httptools
import uvicorn
from starlette.types import Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from modelyard.api.connections import Connections
from modelyard.api.endpoints import refusal
from modelyard.api.problems import RequestProblem

__all__ = ["BoundedProtocol", "abort", "install"]

# a queued request takes about 3.5 KB, many times what it takes to send one
MAX_PIPELINED = 8
SLICE_BYTES = 1024
# of one connection in the kernel, which doubles it; by itself it would grow to 4 MiB, all of which a client could leave
# unread without being noticed
SEND_BUFFER_BYTES = 128 * 1024
HEAD_END = b"\r\n\r\n"
# headers of an upgrade, which `Connection` names too (RFC 7540, 3.2.1)
UPGRADE = frozenset({b"upgrade", b"http2-settings"})
# what is read and set here; another version of uvicorn may keep its state elsewhere
STATE = {
    "__init__": {"parser", "pipeline", "cycle", "app_state"},
    "connection_made": {"flow", "transport"},
    "on_message_begin": {"headers", "url", "scope"},
    "on_headers_complete": {"_should_upgrade", "_start_asgi_task"},
    "on_body": {"body", "response_complete", "message_event"},
    "on_message_complete": {"more_body", "response_complete", "message_event"},
    "on_response_complete": {"server_state", "total_requests", "timeout_keep_alive_task"},
}


def install(connections: Connections) -> bool:
    """Makes the uvicorn whose lifespan event is being handled serve its connections with limits.

    Args:
        connections: The limits.

    Returns:
        Whether it does: the server has to be a known version of uvicorn, with its protocol based on httptools.
    """
    config = getattr(_lifespan(), "config", None)
    known = all(names.issubset(getattr(HttpToolsProtocol, method).__code__.co_names) for method, names in STATE.items())
    if not known or not isinstance(config, uvicorn.Config) or config.http_protocol_class is not HttpToolsProtocol:
        return False
    config.http_protocol_class = partial(BoundedProtocol, connections=connections)  # type: ignore[assignment]
    return True


def abort(send: Send) -> None:
    """Drops the connection of a request whose client does not take its answer; other servers are left alone."""
    cycle = getattr(send, "__self__", None)
    if isinstance(cycle, RequestResponseCycle):
        cycle.disconnected = True
        cycle.transport.abort()


def _lifespan() -> object:
    """Returns uvicorn's lifespan object, which runs the application in a task of its own; None under other servers."""
    task = asyncio.current_task()
    frame = getattr(task.get_coro(), "cr_frame", None) if task is not None else None
    return frame.f_locals.get("self") if frame is not None else None


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Beside the limits it differs from uvicorn's in three points. One sweep replaces a timer for each answer. An upgrade
    to anything but a WebSocket is ignored, as RFC 9110, 7.8 allows; uvicorn answers such a request without its body and
    takes the body for the next request. Pipelined requests are parsed as they are answered.
    """

    flow: _Flow

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
        # when the client was last known to be at work
        self._since = 0.0
        self._unread_since: float | None = None
        self._in_message = self._in_head = False
        # bytes of the packets since a message began or brought a part of its body, without the packet that did
        self._head_bytes = 0
        self._packet_bytes = 0
        self._progressed = False
        self._backlog = bytearray()
        self._stopped = self._ignores_upgrade = self._is_websocket = False

    @property
    def evictable(self) -> bool:
        """Whether no request is being answered."""
        return not self._is_websocket and (self.cycle is None or self.cycle.response_complete)

    def check(self, now: float) -> None:
        """Closes a connection whose client takes too long."""
        limits = self._connections
        if self.transport.is_closing() or self.flow.write_paused:
            if self._is_websocket:
                limits.remove(self)
            elif self._unread_since is None:
                self._unread_since = now
            elif now - self._unread_since > limits.client_timeout_s:
                self.transport.abort()
        elif self.evictable:
            waited = now - self._since
            if waited > limits.client_timeout_s and (self._in_message or self.cycle is None):
                self._stop(408, f"the headers did not come within {limits.client_timeout_s:g} s", self._in_head)
            elif waited > limits.idle_timeout_s:
                self.transport.close()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts the connection, or refuses it."""
        super().connection_made(transport)
        if (connection := transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.flow = _Flow(transport)
        room = self._connections.add(self)
        self._since = self._connections.now
        if not room:
            self._stop(503, f"{self._connections.max_connections} connections are open; try again in a second")

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the count of the connection."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begins a time in which the client leaves an answer unread."""
        super().pause_writing()
        self._unread_since = self._connections.now
        self._connections.pause(self)

    def resume_writing(self) -> None:
        """Ends it."""
        super().resume_writing()
        self._unread_since = None
        self._connections.resume(self)

    def data_received(self, data: bytes) -> None:
        """Parses requests; those that would wait behind many others are kept as bytes."""
        if (
            (len(data) > SLICE_BYTES and data.count(HEAD_END) > MAX_PIPELINED)
            or len(self.pipeline) >= MAX_PIPELINED
            or self._backlog
        ):
            self._backlog += data
            self._parse_backlog()
        else:
            self._parse(data)

    def on_message_begin(self) -> None:
        """Begins a head."""
        super().on_message_begin()
        self._in_message = self._in_head = self._progressed = True
        self._head_bytes = 0
        self._since = self._connections.now

    def on_headers_complete(self) -> None:
        """Starts a request, unless its head is beyond the limits."""
        self._check_head()
        if self.parser.should_upgrade():
            self._choose_upgrade()
            if self._ignores_upgrade:
                return
        super().on_headers_complete()
        self._in_head = False
        # trailers are dropped, as RFC 9110, 6.5.1 allows
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body; no upgrade has one."""
        self._progressed = True
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Ends a request's bytes."""
        self._in_message = False
        if self._ignores_upgrade or self._is_websocket or self.cycle.response_complete:
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Goes on with the next request; uvicorn would start a timer here."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._since = self._connections.now
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._stopped:
            self.transport.close()
        if self._backlog:
            self._parse_backlog()

    def _should_upgrade(self) -> bool:
        return self._is_websocket

    def _choose_upgrade(self) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._stop(501, "this is no proxy, so it does not answer CONNECT")
            raise _Stop
        self._is_websocket = method == b"GET" and self.evictable and super()._should_upgrade()
        self._ignores_upgrade = not self._is_websocket

    def _parse_backlog(self) -> None:
        while self._backlog and len(self.pipeline) < MAX_PIPELINED and not self._stopped:
            data = bytes(self._backlog[:SLICE_BYTES])
            del self._backlog[:SLICE_BYTES]
            self._parse(data)
        self.flow.hold(bool(self._backlog) and not self._stopped)

    def _parse(self, data: bytes) -> None:
        if self._stopped:
            return
        while True:
            self._packet_bytes = len(data)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                if not self._ignores_upgrade:
                    self.handle_websocket_upgrade()
                    return
                data = self._head_without_upgrade() + data[upgrade.args[0] :]
                continue
            except httptools.HttpParserError:
                if not self._stopped:
                    self._stop(400, "this is not an HTTP request")
                return
            break
        if self._in_message:
            self._head_bytes = 0 if self._progressed else self._head_bytes + len(data)
            self._progressed = False
            if self._head_bytes > self._connections.max_header_bytes:
                self._refuse_head()

    def _check_head(self) -> None:
        """Refuses a head that is complete.

        Raises:
            _Stop: It is refused, so nothing after it is parsed.
        """
        limits = self._connections
        hosts = [name for name, _ in self.headers].count(b"host")
        if len(self.headers) > limits.max_headers:
            self._stop(431, f"the request has more than {limits.max_headers} headers")
        elif (
            self._head_bytes + self._packet_bytes > limits.max_header_bytes
            and self._head_size() > limits.max_header_bytes
        ):
            self._refuse_head()
        elif hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            self._stop(400, f"the request has {hosts or 'no'} Host headers; send exactly one")
        else:
            return
        raise _Stop

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)

    def _refuse_head(self) -> None:
        self._stop(431, f"the headers are longer than {self._connections.max_header_bytes:,} bytes")

    def _stop(self, status: int, detail: str, answers: bool = True) -> None:
        """Parses nothing more, and closes the connection once the requests so far are answered.

        Args:
            status: Status of the problem that is sent where no answer is due before it.
            detail: Its detail.
            answers: Whether it is sent at all.
        """
        self._stopped = True
        self._backlog.clear()
        # the request whose body was being read, if any
        cycle = self.cycle if self._in_message and not self._in_head else None
        if self.pipeline and cycle is not None:
            self.pipeline.popleft()
            return
        if cycle is None and not self.evictable:
            return
        if answers and (cycle is None or not cycle.response_started):
            self.transport.write(self._describe(RequestProblem(status, detail, headers={"Connection": "close"})))
            self._connections.refused(status)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _describe(self, problem: RequestProblem) -> bytes:
        answer = refusal(problem)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", answer.media_type),
            (b"content-length", b"%d" % len(answer.body)),
            *answer.headers,
        ]
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        return b"%s%s\r\n%s" % (STATUS_LINE[answer.status], lines, answer.body)

    def _head_without_upgrade(self) -> bytes:
        """Returns the head that ended in an upgrade as one without it, for a new parser."""
        self._ignores_upgrade = False
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            kept = value
            if name == b"connection":
                kept = b",".join(token for token in value.split(b",") if token.strip().lower() not in UPGRADE)
            if name not in UPGRADE and (kept or name != b"connection"):
                lines.append(b"%s: %s" % (name, kept))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join([*lines, b"", b""])


class _Flow(FlowControl):
    """Flow control of one connection, whose reading can be held."""

    _held = False

    def hold(self, held: bool) -> None:
        """Pauses reading until it is called with False, whoever resumes it meanwhile."""
        if held:
            self.pause_reading()
        self._held = held
        self.resume_reading()

    def resume_reading(self) -> None:
        """Resumes reading, unless it is held."""
        if self.read_paused and not self._held:
            super().resume_reading()


class _Stop(Exception):
    """Ends the parser's work; httptools makes an `HttpParserError` of it."""
