"""The span of a request for predictions, with its steps.

A small model answers in less time than OpenTelemetry's SDK takes to begin and end a span. So only times are noted while
a request is answered, and the rest is done for many spans together: code that runs once in a hundred requests has left
the processor's caches each time. The SDK's own spans are made only where somebody reads those.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from random import getrandbits
from time import time_ns
from typing import Any, NamedTuple, ParamSpec, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from modelyard.monitoring.access import METHODS

__all__ = [
    "PredictionSpan",
    "Shape",
    "Stopwatch",
    "known_method",
    "response_header",
    "scope_attributes",
    "span_ids",
    "unfold",
]

Attributes = tuple[tuple[str, str | int], ...]
Inputs = ParamSpec("Inputs")
Result = TypeVar("Result")

LIMITS = SpanLimits()
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
DRAWN = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)


class Stopwatch(threading.local):
    """Notes when scoring begins and ends in a thread.

    Attributes:
        times: What it noted; none: nobody wants to know.
    """

    times: list[int] | None = None

    def watch(self, score: Callable[Inputs, Result]) -> Callable[Inputs, Result]:
        """Returns the same function, which notes when it ran."""

        def score_noting(*inputs: Inputs.args, **named: Inputs.kwargs) -> Result:
            times = self.times
            if times is None:
                return score(*inputs, **named)
            times.append(time_ns())
            scores = score(*inputs, **named)
            times.append(time_ns())
            return scores

        return score_noting


class Shape(NamedTuple):
    """What many requests have in common.

    Attributes:
        name: Method and route.
        attributes: What is known of them.
        steps: Names of their steps.
        called: Whether they go on from a caller's span.
        state: What its caller keeps in the trace.
        failed: Whether they went wrong.
    """

    name: str
    attributes: Attributes
    steps: tuple[str, ...]
    called: bool
    state: str
    failed: bool


class PredictionSpan:
    """One request, of which little more is noted than times until it is told.

    Args:
        origin: Whose resource and scope it has; a span of the SDK's.
        scope: Of the request.
        route: The template of its path.
        trace_id: Of the trace.
        parent: The caller's; none: it begins the trace.
        state: What the sampler keeps in the trace.
        stopwatch: Knows when scoring began and ended.
        hand_on: Takes it once it is over.

    Attributes:
        began: When it did (`time_ns`).
        ended: When it was over.
        parent: As given.
        steps: Name, begin and end of each.
        context: Its own; known, as the shape is, once it was described.
        shape: What it has in common with others.
    """

    context: SpanContext
    shape: Shape

    def __init__(
        self,
        origin: ReadableSpan,
        scope: Mapping[str, Any],
        route: str,
        trace_id: int,
        parent: SpanContext | None,
        state: TraceState | None,
        stopwatch: Stopwatch,
        hand_on: Callable[[PredictionSpan], None],
    ) -> None:
        self.began = self.ended = time_ns()
        self.parent, self.steps = parent, list[tuple[str, int, int]]()
        self._origin, self._scope, self._route = origin, scope, route
        self._trace_id, self._span_id, self._state = trace_id, getrandbits(64), state
        self._flags = SAMPLED if parent is not None and not parent.trace_flags.random_trace_id else DRAWN
        self._stopwatch, self._hand_on = stopwatch, hand_on
        self._status = self._rows = 0

    def add(self, name: str, began: int, ended: int) -> None:
        """Adds a step that is over (`time_ns`)."""
        self.steps.append((name, began, ended))

    def timed(self, began: int, finish: Callable[[Any], Result], request: Any) -> Result:
        """Adds decode, model and encode, once a request is finished; it may be in any thread.

        Args:
            began: When reading did.
            finish: Answers.
            request: What was read.
        """
        self._stopwatch.times = times = list[int]()
        try:
            return finish(request)
        finally:
            self._stopwatch.times = None
            ended = time_ns()
            # nothing was scored where the encoding refused, and a stream of many rows was in pieces
            first, last = (times[0], times[-1]) if times else (ended, ended)
            self.add("decode", began, first)
            if times:
                self.add("model", first, last)
                self.add("encode", last, ended)

    def end(self, status: int, rows: int = 0) -> None:
        """Ends it, by the status of the answer; 499: the client went away."""
        self._status, self._rows, self.ended = status, rows, time_ns()
        self._hand_on(self)

    def describe(self) -> None:
        """Keeps of the request what is told of it, so that the rest can go."""
        method, failed = known_method(self._scope["method"]), self._status >= 499
        attributes = [*scope_attributes(self._scope, method), ("http.route", self._route)]
        attributes.append(("http.response.status_code", self._status))
        if self._rows:
            attributes.append(("modelyard.rows", self._rows))
        if failed:
            attributes.append(("error.type", str(self._status)))
        steps = tuple(name for name, _, _ in self.steps)
        self.context = SpanContext(self._trace_id, self._span_id, False, self._flags, self._state)
        state = self.context.trace_state.to_header()
        name = f"{method} {self._route}"
        self.shape = Shape(name, tuple(attributes), steps, self.parent is not None, state, failed)
        self._scope = {}

    @property
    def header(self) -> tuple[bytes, bytes]:
        """The answer's, which tells a client under which span to find its request."""
        return response_header(self._trace_id, self._span_id, self._flags)

    @property
    def ids(self) -> dict[str, str]:
        """`trace_id` and `span_id`, as the log names them."""
        return span_ids(self._trace_id, self._span_id)

    def unfold(self) -> list[ReadableSpan]:
        """Returns it and its steps as the SDK has them."""
        shape = self.shape
        attributes = BoundedAttributes(
            LIMITS.max_span_attributes, dict(shape.attributes), max_value_len=LIMITS.max_span_attribute_length
        )
        whole = ReadableSpan(
            shape.name,
            self.context,
            self.parent,
            self._origin.resource,
            attributes,
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if shape.failed else StatusCode.UNSET),
            start_time=self.began,
            end_time=self.ended,
            instrumentation_scope=self._origin.instrumentation_scope,
        )
        return [whole, *(self._unfold_step(*step) for step in self.steps)]

    def _unfold_step(self, name: str, began: int, ended: int) -> ReadableSpan:
        own = self.context
        return ReadableSpan(
            name,
            SpanContext(own.trace_id, getrandbits(64), False, own.trace_flags, own.trace_state),
            own,
            self._origin.resource,
            start_time=began,
            end_time=ended,
            instrumentation_scope=self._origin.instrumentation_scope,
        )


def unfold(spans: Iterable[ReadableSpan | PredictionSpan]) -> list[ReadableSpan]:
    """Returns spans as the SDK has them, each step by itself."""
    unfolded: list[ReadableSpan] = []
    for span in spans:
        unfolded += span.unfold() if isinstance(span, PredictionSpan) else (span,)
    return unfolded


def known_method(method: str) -> str:
    """Returns the method as spans have it, which are not to be told apart by words that a client thought of."""
    return method if method in METHODS else "HTTP"


def scope_attributes(scope: Mapping[str, Any], method: str) -> Attributes:
    """Returns what is known of a request before it is answered."""
    host, port = scope.get("server") or ("", None)
    return (
        ("http.request.method", method),
        ("url.scheme", scope["scheme"]),
        ("url.path", scope["path"]),
        ("network.protocol.version", scope["http_version"]),
        *((("server.address", host), ("server.port", port)) if port else ()),
    )


def span_ids(trace_id: int, span_id: int) -> dict[str, str]:
    """Returns a span's ids as the log names them."""
    return {"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"}


def response_header(trace_id: int, span_id: int, flags: int) -> tuple[bytes, bytes]:
    """Returns the header that names a span to the client: level 2 of W3C's Trace Context."""
    return b"traceresponse", b"00-%032x-%016x-%02x" % (trace_id, span_id, flags)
