"""The span of a request for predictions, with its steps.

A small model answers in less time than OpenTelemetry's SDK takes to begin and end a span. So what is known of a request
is kept as it is, and becomes the SDK's spans only where somebody reads those.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from random import getrandbits
from time import time_ns
from typing import NamedTuple, ParamSpec, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

__all__ = ["PredictionSpan", "Shape", "Stopwatch", "response_header", "span_ids", "unfold"]

Attributes = tuple[tuple[str, str | int], ...]
Inputs = ParamSpec("Inputs")
Scores = TypeVar("Scores")

LIMITS = SpanLimits()


class Stopwatch(threading.local):
    """Notes when scoring begins and ends in a thread.

    Attributes:
        times: What it noted; none: nobody wants to know.
    """

    times: list[int] | None = None

    def watch(self, score: Callable[Inputs, Scores]) -> Callable[Inputs, Scores]:
        """Returns the same function, which notes when it ran."""

        def score_noting(*inputs: Inputs.args, **named: Inputs.kwargs) -> Scores:
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


class PredictionSpan(ReadableSpan):
    """One request, which `end` hands on.

    Args:
        origin: Whose resource and scope it has; a span of the SDK's.
        name: Method and route.
        attributes: What is known of the request.
        own: Its own context.
        parent: The caller's; none: it begins the trace.
        stopwatch: Knows when scoring began and ended.
        hand_on: Takes it once it is over.

    Attributes:
        began: When it did (`time_ns`).
        ended: When it was over.
        steps: Name, begin and end of each.
        header: The answer's, which tells a client under which span to find its request.
    """

    def __init__(
        self,
        origin: ReadableSpan,
        name: str,
        attributes: Attributes,
        own: SpanContext,
        parent: SpanContext | None,
        stopwatch: Stopwatch,
        hand_on: Callable[[PredictionSpan], None],
    ) -> None:
        self.began = self.ended = time_ns()
        super().__init__(name, own, parent, origin.resource, instrumentation_scope=origin.instrumentation_scope)
        self._described = attributes
        self._stopwatch, self._hand_on = stopwatch, hand_on
        self._failed = False
        self.steps: list[tuple[str, int, int]] = []
        self.header = response_header(own)

    def add(self, name: str, began: int, ended: int) -> None:
        """Adds a step that is over (`time_ns`)."""
        self.steps.append((name, began, ended))

    @contextmanager
    def timed(self, began: int) -> Iterator[None]:
        """Adds decode, model and encode, once what is within is done; it may be in any thread.

        Args:
            began: When reading did.
        """
        self._stopwatch.times = times = list[int]()
        try:
            yield
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
        self._described += (("http.response.status_code", status),)
        if rows:
            self._described += (("modelyard.rows", rows),)
        if status >= 499:
            self._described += (("error.type", str(status)),)
            self._failed = True
        self.ended = time_ns()
        self._hand_on(self)

    @property
    def ids(self) -> dict[str, str]:
        """`trace_id` and `span_id`, as the log names them."""
        return span_ids(self.context)

    @property
    def shape(self) -> Shape:
        """What it has in common with others."""
        steps = tuple(name for name, _, _ in self.steps)
        state = self.context.trace_state.to_header()
        return Shape(self.name, self._described, steps, self.parent is not None, state, self._failed)

    def unfold(self) -> list[ReadableSpan]:
        """Returns it and its steps as the SDK has them."""
        own = self.context
        whole = ReadableSpan(
            self.name,
            own,
            self.parent,
            self.resource,
            BoundedAttributes(
                LIMITS.max_span_attributes, dict(self._described), max_value_len=LIMITS.max_span_attribute_length
            ),
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if self._failed else StatusCode.UNSET),
            start_time=self.began,
            end_time=self.ended,
            instrumentation_scope=self.instrumentation_scope,
        )
        return [whole, *(self._unfold_step(*step) for step in self.steps)]

    def _unfold_step(self, name: str, began: int, ended: int) -> ReadableSpan:
        own = self.context
        return ReadableSpan(
            name,
            SpanContext(own.trace_id, getrandbits(64), False, own.trace_flags, own.trace_state),
            own,
            self.resource,
            start_time=began,
            end_time=ended,
            instrumentation_scope=self.instrumentation_scope,
        )


def unfold(spans: Iterable[ReadableSpan]) -> list[ReadableSpan]:
    """Returns spans as the SDK has them, each step by itself."""
    unfolded: list[ReadableSpan] = []
    for span in spans:
        unfolded += span.unfold() if isinstance(span, PredictionSpan) else (span,)
    return unfolded


def span_ids(own: SpanContext) -> dict[str, str]:
    """Returns a span's ids as the log names them."""
    return {"trace_id": f"{own.trace_id:032x}", "span_id": f"{own.span_id:016x}"}


def response_header(own: SpanContext) -> tuple[bytes, bytes]:
    """Returns the header that names a span to the client: level 2 of W3C's Trace Context."""
    return b"traceresponse", b"00-%032x-%016x-%02x" % (own.trace_id, own.span_id, own.trace_flags)
