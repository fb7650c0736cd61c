"""Spans of requests by OpenTelemetry's SDK; loaded only where requests are traced.

Most requests are not sampled, and OpenTelemetry takes microseconds for a span that nobody will see. So the sampler is
asked first, and where it says no there is no span.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import getrandbits
from time import time_ns
from typing import Any, ParamSpec, TypeVar

from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

from modelyard.monitoring.access import METHODS

__all__ = ["RequestSpan", "Tracing"]

Headers = Mapping[bytes, bytes]
Inputs = ParamSpec("Inputs")
Scores = TypeVar("Scores")

NAME = "modelyard"
FLUSH_S = 3.0
NOBODY = Context()
SERVER = SpanKind.SERVER
TRACEPARENT = b"traceparent"
UNSAMPLED = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][02468ace]")


class RequestSpan:
    """The span of one request.

    Args:
        tracing: What it is a part of.
        name: Method and route.
        context: What it goes on from.
        attributes: What is known of the request.

    Attributes:
        context: What goes on from it.
        ids: `trace_id` and `span_id`, as the log names them.
        header: The answer's, which tells a client under which span to find its request.
    """

    def __init__(self, tracing: Tracing, name: str, context: Context, attributes: Mapping[str, Any]) -> None:
        self._tracing = tracing
        self._span = tracing.tracer.start_span(name, context, SERVER, attributes)
        self.context = trace.set_span_in_context(self._span, context)
        self._own = own = self._span.get_span_context()
        self.ids = {"trace_id": f"{own.trace_id:032x}", "span_id": f"{own.span_id:016x}"}
        # level 2 of W3C's Trace Context
        response = f"00-{self.ids['trace_id']}-{self.ids['span_id']}-{own.trace_flags:02x}"
        self.header = (b"traceresponse", response.encode())

    @contextmanager
    def current(self) -> Iterator[None]:
        """Makes it what spans and calls of others go on from."""
        token = attach(self.context)
        try:
            yield
        finally:
            detach(token)

    def name(self, method: str, route: str) -> None:
        """Says which route it was, where only the framework knew."""
        self._span.update_name(f"{_known(method)} {route}")
        self._span.set_attribute("http.route", route)

    def add(self, name: str, began: int, ended: int) -> None:
        """Adds a step that is over (`time_ns`)."""
        self._tracing.keep(self._own, name, began, ended)

    @contextmanager
    def steps(self, began: int) -> Iterator[None]:
        """Adds decode, model and encode, once what is within is done; it may be in any thread.

        Args:
            began: When reading did.
        """
        with self._tracing.scored() as times:
            try:
                yield
            finally:
                ended = time_ns()
                # nothing was scored where the encoding refused, and a stream of many rows was in pieces
                first, last = (times[0], times[-1]) if times else (ended, ended)
                self.add("decode", began, first)
                if times:
                    self.add("model", first, last)
                    self.add("encode", last, ended)

    def end(self, status: int, rows: int = 0) -> None:
        """Ends it, by the status of the answer; 499: the client went away."""
        self._span.set_attribute("http.response.status_code", status)
        if rows:
            self._span.set_attribute("modelyard.rows", rows)
        if status >= 499:
            self._span.set_attribute("error.type", str(status))
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


class Tracing:
    """Traces the requests of one process.

    Args:
        exporters: Where spans go: otlp, console.
        model: Name of the model that answers.
        version: Its version.

    Attributes:
        tracer: Makes spans.
    """

    def __init__(self, exporters: Sequence[str], model: str, version: str) -> None:
        self._ids = _DrawnIds()
        described = Resource.create(
            {
                "service.name": model,
                "service.version": version,
                "service.instance.id": str(uuid.uuid4()),
                "modelyard.model.name": model,
                "modelyard.model.version": version,
            }
        )
        self._resource = described.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=self._resource, id_generator=self._ids, shutdown_on_exit=False)
        self._processors = [BatchSpanProcessor(_exporter(name)) for name in exporters]
        for processor in self._processors:
            self._provider.add_span_processor(processor)
        # for routers of one's own
        trace.set_tracer_provider(self._provider)
        self.tracer = self._provider.get_tracer(NAME)
        self._sampler = self._provider.sampler
        self._fields = frozenset(field.encode() for field in propagate.get_global_textmap().fields)
        self._follows = isinstance(self._sampler, ParentBased) and TRACEPARENT in self._fields
        # asking the sampler takes a microsecond; a ratio goes by the id's lower half, and says no to nearly all
        root = getattr(self._sampler, "_root", self._sampler)
        self._bound = root.bound if isinstance(root, TraceIdRatioBased) else 2**64
        self._scored = _Scored()
        self._scope = InstrumentationScope(NAME)

    def begin(self, scope: Mapping[str, Any], route: str, headers: Headers) -> RequestSpan | None:
        """Begins the span of a request for predictions, unless it is not sampled."""
        if headers.keys().isdisjoint(self._fields):
            if (low := getrandbits(64)) >= self._bound:
                return None
            trace_id, context = getrandbits(64) << 64 | low, NOBODY
            if self._sampler.should_sample(NOBODY, trace_id, route, SERVER).decision is Decision.DROP:
                return None
            self._ids.drawn = trace_id
        elif self._follows and UNSAMPLED.fullmatch(headers.get(TRACEPARENT, b"")):
            return None
        else:
            context = self._parent(scope)
        method = _known(scope["method"])
        span = RequestSpan(self, f"{method} {route}", context, self._describe(scope, method) | {"http.route": route})
        return span if trace.get_current_span(span.context).is_recording() else None

    def hand_on(self, scope: Mapping[str, Any]) -> RequestSpan:
        """Begins the span of a request that the framework answers; what is not sampled goes on all the same."""
        method = _known(scope["method"])
        return RequestSpan(self, method, self._parent(scope), self._describe(scope, method))

    def timed(self, score: Callable[Inputs, Scores]) -> Callable[Inputs, Scores]:
        """Returns the same function, which notes when it ran."""
        scored = self._scored

        def score_noting(*inputs: Inputs.args, **named: Inputs.kwargs) -> Scores:
            times = scored.times
            if times is None:
                return score(*inputs, **named)
            times.append(time_ns())
            scores = score(*inputs, **named)
            times.append(time_ns())
            return scores

        return score_noting

    @contextmanager
    def scored(self) -> Iterator[Sequence[int]]:
        """Gives a list that gets the times at which this thread begins and ends to score."""
        self._scored.times = times = list[int]()
        try:
            yield times
        finally:
            self._scored.times = None

    def keep(self, parent: SpanContext, name: str, began: int, ended: int) -> None:
        """Keeps a step that is over, which costs half of what a span does that is begun and ended."""
        own = SpanContext(parent.trace_id, self._ids.generate_span_id(), False, parent.trace_flags, parent.trace_state)
        step = ReadableSpan(
            name,
            own,
            parent,
            self._resource,
            start_time=began,
            end_time=ended,
            instrumentation_scope=self._scope,
        )
        for processor in self._processors:
            processor.on_end(step)

    def close(self) -> None:
        """Sends what is left, for as long as three seconds."""
        worker = threading.Thread(target=self._provider.shutdown, name="modelyard-spans", daemon=True)
        worker.start()
        worker.join(FLUSH_S)

    def _parent(self, scope: Mapping[str, Any]) -> Context:
        carrier: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            if name in self._fields:
                carrier.setdefault(name.decode(), []).append(value.decode("latin-1"))
        return propagate.extract(carrier, NOBODY)

    def _describe(self, scope: Mapping[str, Any], method: str) -> dict[str, Any]:
        described = {
            "http.request.method": method,
            "url.scheme": scope["scheme"],
            "url.path": scope["path"],
            "network.protocol.version": scope["http_version"],
        }
        if scope.get("server"):
            described["server.address"], described["server.port"] = scope["server"]
        return described


class _Scored(threading.local):
    times: list[int] | None = None


class _DrawnIds(RandomIdGenerator, threading.local):
    """Gives the next span the trace id that the sampler was asked with, so that both agree."""

    drawn = 0

    def generate_trace_id(self) -> int:
        drawn, self.drawn = self.drawn, 0
        return drawn or super().generate_trace_id()


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return ConsoleSpanExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _known(method: str) -> str:
    return method if method in METHODS else "HTTP"
