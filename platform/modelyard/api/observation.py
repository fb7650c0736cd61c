"""What the trace and the log tell of requests; where neither is asked for, the lane goes without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import repeat
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelyard.api.endpoints import Answer, Endpoint, Headers, Prediction
from modelyard.api.predict import Request
from modelyard.api.problems import RequestProblem
from modelyard.monitoring.access import AccessLog, Sent
from modelyard.monitoring.logs import REQUEST, find_log
from modelyard.monitoring.tracing import TRACEPARENT

if TYPE_CHECKING:
    from modelyard.monitoring.prediction_span import PredictionSpan  # it brings OpenTelemetry's SDK
    from modelyard.monitoring.spans import Tracing

__all__ = ["GONE", "OTHER", "Observation", "Observer"]

GONE = 499
SPAN = "modelyard.span"
OTHER = "other"


class Observation(Prediction):
    """An endpoint for one request, which notes what it does.

    Args:
        endpoint: Does it.
        span: Of the request, where it is sampled.

    Attributes:
        body: What was read.
        span: As given.
    """

    def __init__(self, endpoint: Prediction, span: PredictionSpan | None) -> None:
        super().__init__(endpoint.metrics)
        self._endpoint, self.span = endpoint, span
        self.body = b""
        self._began = 0

    def read(self, body: bytes, headers: Headers) -> Any:
        """Reads as the endpoint does."""
        self.body, self._began = body, time_ns()
        try:
            return self._endpoint.read(body, headers)
        except Exception:
            if self.span is not None:
                self.span.add("decode", self._began, time_ns())
            raise

    def seconds(self, request: Any) -> float:
        """Estimates as the endpoint does."""
        return self._endpoint.seconds(request)

    def finish(self, request: Any) -> Answer:
        """Answers as the endpoint does."""
        return self._timed(self._endpoint.finish, request)

    def finish_inline(self, request: Any) -> Answer:
        """Answers as the endpoint does."""
        return self._timed(self._endpoint.finish_inline, request)

    def _timed(self, finish: Callable[[Any], Answer], request: Any) -> Answer:
        if self.span is None:
            return finish(request)
        if isinstance(request, Request):
            request.traced = True
        return self.span.timed(self._began, finish, request)

    def refuse(self, problem: RequestProblem) -> Answer:
        """Refuses as the endpoint does."""
        return self._endpoint.refuse(problem)


class Observer:
    """Observes the requests of one process.

    Args:
        tracing: Makes spans; none: there are none.
        access: Writes lines; none: there are none.

    Attributes:
        turns: Says for each request for predictions in turn whether there is anything to tell of it, even if it is not
            refused and nobody calls for it by `TRACEPARENT`. None: there never is.
    """

    def __init__(self, tracing: Tracing | None, access: AccessLog | None) -> None:
        self._tracing, self._access = tracing, access
        self._notes = access is not None and (access.every or access.features)
        self.turns: Iterator[bool] | None = tracing.turns if tracing is not None else None
        if self._notes:
            self.turns = repeat(True)

    def begin(self, endpoint: Endpoint, scope: Scope, headers: Headers) -> Observation | None:
        """Begins a request whose turn it is, where there is anything to tell of it."""
        if not endpoint.reads:
            return None
        span, tracing = None, self._tracing
        if tracing is not None and (not self._notes or next(tracing.turns) or TRACEPARENT in headers):
            span = tracing.begin(scope, endpoint.metrics.route, headers)
        if span is None and not self._notes:
            return None
        assert isinstance(endpoint, Prediction)
        return Observation(endpoint, span)

    def end(
        self,
        scope: Scope,
        route: str,
        code: int,
        seconds: float,
        request_id: bytes,
        seen: Observation | None = None,
        answer: Answer | None = None,
    ) -> None:
        """Ends a request.

        Args:
            scope: Of the request.
            route: The template of its path.
            code: The status of the answer.
            seconds: How long it took.
            request_id: Of the answer.
            seen: What `begin` gave.
            answer: What was sent.
        """
        span = seen.span if seen is not None else None
        rows = answer.rows if answer is not None else 0
        if span is not None:
            span.end(code, rows)
        if self._access is None or (code < 400 and not self._access.every):
            return
        sent = Sent(seen.body, b"" if answer is None or code < 400 else answer.body) if seen is not None else None
        ids = span.ids if span is not None else None
        self._access.write(scope["method"], route, code, seconds, request_id, rows, ids, sent)

    def name(self, request_id: bytes, seen: Observation | None) -> None:
        """Has the log say from now on which request it is that is answered."""
        span = seen.span if seen is not None else None
        REQUEST.set({"request_id": request_id.decode(), **(span.ids if span is not None else {})})

    async def hand_on(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        """Lets the framework answer, within a span of its own."""
        began, code = perf_counter(), 500
        span = self._tracing.hand_on(scope) if self._tracing is not None else None
        scope[SPAN] = span

        async def send_observed(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
                if span is not None:
                    message["headers"] = [*message.get("headers", ()), span.header]
            await send(message)

        REQUEST.set({"request_id": request_id.decode(), **(span.ids if span is not None else {})})
        try:
            await self.resume(app, scope, receive, send_observed)
        finally:
            route = getattr(scope.get("route"), "path", OTHER)
            if span is not None:
                span.end(scope["method"], route, code)
            if self._access is not None and (code >= 400 or self._access.every):
                ids = span.ids if span is not None else None
                self._access.write(scope["method"], route, code, perf_counter() - began, request_id, 0, ids)

    async def resume(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Calls what comes behind within the request's span, whatever a middleware in between made of it."""
        span = scope.get(SPAN)
        with span.current() if span is not None else nullcontext():
            await app(scope, receive, send)

    def close(self) -> None:
        """Sends and writes what is left."""
        if self._tracing is not None:
            self._tracing.close()
        if (log := find_log()) is not None:
            log.flush()
