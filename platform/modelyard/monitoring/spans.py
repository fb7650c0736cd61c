"""Which requests have spans; loaded only where requests are traced, for it brings OpenTelemetry's SDK.

Most requests are not sampled, and OpenTelemetry takes microseconds for a span that nobody will see, a microsecond even
to say so. Where a ratio decides, how many are passed over until the next one is drawn at once: where each is sampled
with the same probability, the gaps between those that are have a geometric distribution.
"""

from __future__ import annotations

import math
import re
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from random import getrandbits, random
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from modelyard.monitoring.prediction_span import (
    PredictionSpan,
    Stopwatch,
    known_method,
    response_header,
    scope_attributes,
    span_ids,
    unfold,
)
from modelyard.monitoring.tracing import TRACEPARENT

__all__ = ["RequestSpan", "Tracing"]

Headers = Mapping[bytes, bytes]

NAME = "modelyard"
FLUSH_S = 3.0
NOBODY = Context()
SERVER = SpanKind.SERVER
# the others say nothing of a caller's span where the first is missing
W3C = {TRACEPARENT, b"tracestate", b"baggage"}
LONGEST_GAP = 2**31
UNSAMPLED = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][02468ace]")


class RequestSpan:
    """The span of a request that the framework answers.

    Args:
        span: The SDK's.
        context: What it goes on from.

    Attributes:
        ids: `trace_id` and `span_id`, as the log names them.
        header: The answer's, which tells a client under which span to find its request.
    """

    def __init__(self, span: Span, context: Context) -> None:
        self._span = span
        self._context = trace.set_span_in_context(span, context)
        own = span.get_span_context()
        self.ids = span_ids(own.trace_id, own.span_id)
        self.header = response_header(own.trace_id, own.span_id, own.trace_flags)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Makes it what spans and calls of others go on from."""
        token = attach(self._context)
        try:
            yield
        finally:
            detach(token)

    def end(self, method: str, route: str, status: int) -> None:
        """Ends it, by the route that only the framework knew, and by the answer's status; 499: the client went away."""
        self._span.update_name(f"{known_method(method)} {route}")
        self._span.set_attributes({"http.route": route, "http.response.status_code": status})
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
        stopwatch: Notes when a traced request is scored.
        turns: Says for each request for predictions in turn whether it is to be begun, though nobody calls for it.
    """

    def __init__(self, exporters: Sequence[str], model: str, version: str) -> None:
        described = Resource.create(
            {
                "service.name": model,
                "service.version": version,
                "service.instance.id": str(uuid.uuid4()),
                "modelyard.model.name": model,
                "modelyard.model.version": version,
            }
        )
        resource = described.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._processors = [BatchSpanProcessor(_exporter(name)) for name in exporters]
        for processor in self._processors:
            self._provider.add_span_processor(processor)
        # for routers of one's own
        trace.set_tracer_provider(self._provider)
        self._tracer = self._provider.get_tracer(NAME)
        self._origin = ReadableSpan(NAME, resource=resource, instrumentation_scope=InstrumentationScope(NAME))
        self._ended: list[PredictionSpan] = []
        self.stopwatch = Stopwatch()
        self._sampler = self._provider.sampler
        fields = {field.encode() for field in propagate.get_global_textmap().fields}
        self._fields = frozenset(fields)
        self._follows = isinstance(self._sampler, ParentBased) and TRACEPARENT in fields
        root = getattr(self._sampler, "_root", self._sampler)
        # other samplers have to be asked each time, and other formats to be looked for
        self._bound = root.bound if isinstance(root, TraceIdRatioBased) and fields <= W3C else None
        self.turns: Iterator[bool] = repeat(True) if self._bound is None else _turns(self._bound / 2**64)

    def begin(self, scope: Mapping[str, Any], route: str, headers: Headers) -> PredictionSpan | None:
        """Begins the span of a request for predictions whose turn it is, unless it is not sampled."""
        if self._bound is not None and TRACEPARENT not in headers:
            # its turn says that the sampler would take it
            trace_id, parent, state = getrandbits(64) << 64 | getrandbits(64) * self._bound >> 64, None, None
        else:
            if self._follows and UNSAMPLED.fullmatch(headers.get(TRACEPARENT, b"")):
                return None
            context = NOBODY if headers.keys().isdisjoint(self._fields) else self._parent(scope)
            callers = trace.get_current_span(context).get_span_context()
            parent = callers if callers.is_valid else None
            trace_id = callers.trace_id if callers.is_valid else getrandbits(128)
            name = f"{known_method(scope['method'])} {route}"
            found = self._sampler.should_sample(context, trace_id, name, SERVER)
            if found.decision is not Decision.RECORD_AND_SAMPLE:
                return None
            state = found.trace_state
        return PredictionSpan(self._origin, scope, route, trace_id, parent, state, self.stopwatch, self._ended.append)

    def flush(self) -> None:
        """Hands on the spans of predictions that are over."""
        ended = self._ended[:]
        self._ended.clear()
        for span in ended:
            span.describe()
            for processor in self._processors:
                # of a span it only asks for the context
                processor.on_end(span)  # type: ignore[arg-type]

    def hand_on(self, scope: Mapping[str, Any]) -> RequestSpan:
        """Begins the span of a request that the framework answers; what is not sampled goes on all the same."""
        method = known_method(scope["method"])
        context = self._parent(scope)
        known = dict(scope_attributes(scope, method))
        return RequestSpan(self._tracer.start_span(method, context, SERVER, known), context)

    def close(self) -> None:
        """Sends what is left, for as long as three seconds."""
        self.flush()
        worker = threading.Thread(target=self._provider.shutdown, name="modelyard-spans", daemon=True)
        worker.start()
        worker.join(FLUSH_S)

    def _parent(self, scope: Mapping[str, Any]) -> Context:
        carrier: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            if name in self._fields:
                carrier.setdefault(name.decode(), []).append(value.decode("latin-1"))
        return propagate.extract(carrier, NOBODY)


class _Console(ConsoleSpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export(unfold(spans))


def _turns(rate: float) -> Iterator[bool]:
    """Returns what is true for this share of its items, each by chance, and takes nanoseconds for the others."""
    if rate in (0, 1):
        return repeat(bool(rate))

    def gaps() -> Iterator[Iterator[bool]]:
        while True:
            gap = math.log(1 - random()) / math.log1p(-rate)
            yield chain(repeat(False, min(int(gap), LONGEST_GAP)), (True,))

    return chain.from_iterable(gaps())


def _exporter(name: str) -> SpanExporter:
    if name == "console":
        return _Console()
    from modelyard.monitoring.otlp import OtlpExporter

    return OtlpExporter()
