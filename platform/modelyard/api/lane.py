"""The hot path: an ASGI middleware that answers the prediction endpoints and hands everything else on.

A request takes the shortest way that HTTP allows: decode the typed row, encode it, run the graph, write the answer.
FastAPI's application and the bento both wear it, so there is one implementation, one set of metrics and one shape of
errors. At the lifespan event it steps in front of the application's other middlewares, which cost several times what a
prediction does; so what they are needed for, such as keys, limits and request ids, is done here.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelyard.api.connections import Connections
from modelyard.api.drain import Drain
from modelyard.api.endpoints import Answer, Endpoint, Fixed, Headers, Prediction, Scrape, refusal
from modelyard.api.intake import (
    Disconnected,
    InFlight,
    announced_length,
    inflate,
    replay,
    rest_of_body,
    too_large,
    too_slow,
)
from modelyard.api.keys import Keys, no_key
from modelyard.api.observation import GONE, OTHER, Observer
from modelyard.api.one_write import OneWrite
from modelyard.api.page import PAGE_PATHS
from modelyard.api.problems import RequestProblem, to_problem
from modelyard.api.protocol import abort, install
from modelyard.api.settle import settle
from modelyard.config.models import ServingSettings
from modelyard.monitoring.metrics import PredictionMetrics
from modelyard.monitoring.tracing import TRACEPARENT

__all__ = ["Lane"]

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# beyond this even reading a body is work for the thread
INLINE_BYTES = 64 * 1024
FLUSH_S = 0.1
MEBIBYTE = 2**20
# below it nothing is handed on: clients of that protocol read errors of another shape
V2 = "/v2/"
PROBES = frozenset({"/livez", "/readyz", "/startupz", "/healthz", "/v2/health/live", "/v2/health/ready"})
LOOKS = frozenset({"GET", "HEAD"})
REQUEST_ID = re.compile(rb"[!-~]{1,128}")
CLOSE = (b"connection", b"close")
# of RFC 6455, 7.4.1
POLICY_VIOLATION = 1008
SAFETY = (b"x-content-type-options", b"nosniff")


class Lane:
    """Answers endpoints, and hands other paths on.

    Args:
        app: What comes behind.
        endpoints: By path.
        metrics: Counts requests.
        serving: Limits, keys and the like.
        observer: Traces requests and logs them.
        at_end: What there is to do once the last request is answered; may take seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        endpoints: Mapping[str, Endpoint],
        metrics: PredictionMetrics,
        serving: ServingSettings,
        observer: Observer,
        at_end: Callable[[], None],
    ) -> None:
        self.app = app
        self._endpoints = endpoints
        self._metrics = metrics
        self._serving = serving
        self._at_end = at_end
        self._observer = observer
        self._turns = observer.turns
        self._keys = Keys(serving.keys_file) if serving.keys_file else None
        self._page: frozenset[str] = PAGE_PATHS if serving.page else frozenset()
        self._drain = Drain(serving.drain_seconds)
        self._in_flight = InFlight(serving.client_timeout_s, serving.max_inflight_mb * MEBIBYTE)
        self._connections = Connections(serving, lambda code: metrics.route(OTHER).observe(code, 0.0))
        self._one_write = OneWrite()
        self._thread = ThreadPoolExecutor(1, "modelyard-heavy")
        self._flush: asyncio.TimerHandle | None = None
        self._inner = False
        self._id_prefix = secrets.token_hex(6).encode()
        self._numbers = itertools.count()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers a request or hands it on."""
        if scope["type"] == "http" and not self._inner:
            path = scope["path"]
            endpoint = self._endpoints.get(path)
            if endpoint is None and path.startswith(V2):
                endpoint = self._endpoints.get(V2)
            if endpoint is None:
                return self._hand_on(scope, receive, send)
            return self._answer(endpoint, scope, receive, send)
        if scope["type"] == "lifespan":
            self._start(scope)
            return self.app(scope, receive, self._closing(send))
        if scope["type"] == "websocket" and not self._inner:
            return self._hand_on_websocket(scope, receive, send)
        return self._observer.resume(self.app, scope, receive, send)

    def _start(self, scope: Scope) -> None:
        """Steps in front of the application's middlewares and takes SIGTERM and SIGHUP over."""
        root = scope.get("app")
        stack = getattr(root, "middleware_stack", None)
        if root is None or stack is None:
            logger.warning(
                "the framework is not as expected: predictions stay behind its other middlewares, and cost more"
            )
        else:
            front = copy.copy(self)
            front.app, self._inner = stack, True
            origins = self._serving.cors_origins
            # browsers ask first, without a key
            root.middleware_stack = _for_origins(front, origins) if origins else front
        if not self._one_write.possible:
            logger.warning("uvicorn is not as expected: answers take the way through its `send`, and cost more")
        if not install(self._connections):
            logger.warning(
                "unsupported server: connections, their headers and their idle time have no limits; "
                "serve with uvicorn and httptools"
            )
        # it would take as long as a prediction, only to be dropped
        logging.getLogger("uvicorn.access").propagate = False
        self._drain.own_signals()
        settle()

    def _closing(self, send: Send) -> Send:
        """The server goes as soon as it hears that the application has ended."""

        async def send_at_last(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                self._write_metrics()
                await asyncio.to_thread(self._at_end)
            await send(message)

        return send_at_last

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()
        headers: Headers = dict(scope["headers"])
        seen = None
        if self._turns is not None and (next(self._turns) or TRACEPARENT in headers):
            seen = self._observer.begin(endpoint, scope, headers)
        request_id = self._request_id(headers)
        task = self._in_flight.enter()
        code, answer = GONE, None
        try:
            try:
                self._admit(scope, headers, endpoint, task, began)
                if endpoint.reads:
                    answer = await self._predict(seen or endpoint, headers, receive, task)
                else:
                    answer = await self._look(endpoint, task)
            except Disconnected:
                raise
            except Exception as error:
                self._observer.name(request_id, seen)
                answer = endpoint.refuse(to_problem(error))
            except asyncio.CancelledError:
                if not self._in_flight.was_late(task):
                    raise
                answer = endpoint.refuse(too_slow(self._serving.client_timeout_s))
            if seen is not None and seen.span is not None:
                answer.headers = (*answer.headers, seen.span.header)
            await self._send(answer, request_id, send)
            code = answer.status
        except Disconnected:
            pass
        except asyncio.CancelledError:
            if not self._in_flight.was_late(task):
                raise
            abort(send)
        finally:
            self._in_flight.leave(task)
        seconds = perf_counter() - began
        if seen is not None or (code != 200 and scope["path"] not in PROBES):
            self._observer.end(scope, endpoint.metrics.route, code, seconds, request_id, seen, answer)
        if code == 200:
            endpoint.metrics.pending.append(seconds)
        else:
            endpoint.metrics.observe(code, seconds)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(FLUSH_S, self._write_metrics)

    async def _predict(
        self, endpoint: Endpoint, headers: Headers, receive: Receive, task: asyncio.Task[None]
    ) -> Answer:
        assert isinstance(endpoint, Prediction)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", message["type"] != "http.request") or len(body) > self._serving.max_body_bytes:
            body = await self._rest_of_body(message, headers, receive, task)
        if b"content-encoding" in headers:
            body = await self._inflate(body, headers[b"content-encoding"], task)
        if len(body) > INLINE_BYTES:
            return await self._in_thread(task, lambda: endpoint.finish(endpoint.read(body, headers)), self._thread)
        request = endpoint.read(body, headers)
        if endpoint.seconds(request) * 1000 > self._serving.inline_ms:
            return await self._in_thread(task, lambda: endpoint.finish(request), self._thread)
        return endpoint.finish_inline(request)

    async def _look(self, endpoint: Endpoint, task: asyncio.Task[None]) -> Answer:
        if isinstance(endpoint, Scrape):
            self._metrics.flush()
            return await self._in_thread(task, endpoint.answer, None)
        assert isinstance(endpoint, Fixed)
        return endpoint.answer(self._drain.draining)

    async def _rest_of_body(
        self, message: Message, headers: Headers, receive: Receive, task: asyncio.Task[None]
    ) -> bytes:
        limit = self._serving.max_body_bytes
        self._in_flight.hold_announced(task, headers, limit)
        return await rest_of_body(message, receive, limit, lambda size: self._in_flight.hold(task, size))

    def _admit(
        self, scope: Scope, headers: Headers, endpoint: Endpoint | None, task: asyncio.Task[None], began: float
    ) -> None:
        """Refuses what can be refused before a body is read; `endpoint` is None where the framework answers."""
        try:
            if self._keys is not None and not self._is_open(scope) and not self._keys.admits(headers, began):
                raise no_key()
            method = scope["method"]
            if (
                endpoint is not None
                and endpoint.method
                and method != endpoint.method
                and not (method == "HEAD" and endpoint.method == "GET")
            ):
                detail = f"{scope['path']} does not answer {method}; it answers {endpoint.method}"
                raise RequestProblem(405, detail, headers={"Allow": endpoint.method})
            # never a probe: a busy process would be restarted, with all that it is answering
            if (endpoint is None or endpoint.reads) and len(self._in_flight) > self._serving.max_concurrency:
                detail = f"{self._serving.max_concurrency} requests are being answered already; try again in a second"
                raise RequestProblem(429, detail, headers={"Retry-After": "1"})
            if b"expect" in headers:
                if announced_length(headers) > self._serving.max_body_bytes:
                    raise too_large(self._serving.max_body_bytes)
                self._in_flight.hold_announced(task, headers, self._serving.max_body_bytes)
        except RequestProblem as problem:
            if announced_length(headers) > INLINE_BYTES:
                problem.headers["Connection"] = "close"
            raise

    async def _inflate(self, body: bytes, encoding: bytes, task: asyncio.Task[None]) -> bytes:
        limit = self._serving.max_body_bytes
        if encoding.lower() == b"identity":
            return body
        if encoding.lower() != b"gzip":
            raise RequestProblem(415, f"Content-Encoding: {encoding.decode('latin-1')} is not known; use gzip or none")
        if len(body) <= INLINE_BYTES // 8:
            inflated = inflate(body, limit)
        else:
            inflated = await self._in_thread(task, lambda: inflate(body, limit), self._thread)
        if len(inflated) > INLINE_BYTES:
            self._in_flight.hold(task, len(body) + len(inflated))
        return inflated

    async def _in_thread(
        self, task: asyncio.Task[None], work: Callable[[], Result], pool: ThreadPoolExecutor | None
    ) -> Result:
        """Works without counting the time as the client's; None is the event loop's own pool."""
        self._in_flight.await_client(task, False)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._in_flight.await_client(task, True)

    async def _send(self, answer: Answer, request_id: bytes, send: Send) -> None:
        if not self._drain.draining and self._one_write.write(send, answer, request_id):
            return
        sent = [
            (b"content-type", answer.media_type),
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", request_id),
            SAFETY,
            *answer.headers,
        ]
        if self._drain.draining:
            sent.append(CLOSE)
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        await send({"type": "http.response.body", "body": answer.body})

    def _request_id(self, headers: Headers) -> bytes:
        given = headers.get(b"x-request-id")
        if given is not None and REQUEST_ID.fullmatch(given):
            return given
        return b"%s-%x" % (self._id_prefix, next(self._numbers))

    def _write_metrics(self) -> None:
        self._flush = None
        self._metrics.flush()

    def _is_open(self, scope: Scope) -> bool:
        """Whether a path needs no key."""
        path = scope["path"]
        return path in PROBES or (path in self._page and scope["method"] in LOOKS)

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the framework answer, behind our keys and limits and with our headers."""
        began = perf_counter()
        headers: Headers = dict(scope["headers"])
        request_id = self._request_id(headers)
        task = self._in_flight.enter()
        try:
            refused, receive = await self._read_ahead(scope, headers, receive, task, began)
            if refused is None:
                await self._observer.hand_on(self.app, scope, receive, self._with_headers(send, request_id), request_id)
                return
            await self._send(refused, request_id, send)
        except Disconnected:
            return
        except asyncio.CancelledError:
            if not self._in_flight.was_late(task):
                raise
            abort(send)
            return
        finally:
            self._in_flight.leave(task)
        seconds = perf_counter() - began
        self._observer.end(scope, OTHER, refused.status, seconds, request_id)
        self._metrics.route(OTHER).observe(refused.status, seconds)

    async def _read_ahead(
        self, scope: Scope, headers: Headers, receive: Receive, task: asyncio.Task[None], began: float
    ) -> tuple[Answer | None, Receive]:
        """Reads a body within the limits before the framework is called, which has none.

        Returns:
            A refusal if the request is beyond them, and what gives the body to the framework.
        """
        try:
            self._admit(scope, headers, None, task, began)
            if b"content-length" in headers or b"transfer-encoding" in headers:
                message = await receive()
                if message.get("more_body", message["type"] != "http.request"):
                    body = await self._rest_of_body(message, headers, receive, task)
                    message = {"type": "http.request", "body": body, "more_body": False}
                elif len(message["body"]) > self._serving.max_body_bytes:
                    raise too_large(self._serving.max_body_bytes)
                receive = replay(message, receive)
        except RequestProblem as problem:
            return refusal(problem), receive
        except asyncio.CancelledError:
            if not self._in_flight.was_late(task):
                raise
            return refusal(too_slow(self._serving.client_timeout_s)), receive
        self._in_flight.await_client(task, False)
        return None, receive

    def _with_headers(self, send: Send, request_id: bytes) -> Send:
        further = [(b"x-request-id", request_id), SAFETY]

        async def send_with_ours(message: Message) -> None:
            if message["type"] == "http.response.start":
                closing = [CLOSE] if self._drain.draining else []
                message["headers"] = [*message.get("headers", ()), *further, *closing]
            await send(message)

        return send_with_ours

    async def _hand_on_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the framework accept a WebSocket, behind our keys; a server answers a refused handshake with 403."""
        if self._keys is None or self._keys.admits(dict(scope["headers"]), perf_counter()):
            await self._observer.resume(self.app, scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "a key is needed"})


def _for_origins(app: ASGIApp, origins: list[str]) -> ASGIApp:
    return CORSMiddleware(app, origins, allow_methods=["GET", "POST"], allow_headers=["*"])
