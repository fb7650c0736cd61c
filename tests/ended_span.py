"""Spans of requests for predictions that are over."""

from __future__ import annotations

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags, TraceState

from modelyard.monitoring.prediction_span import PredictionSpan, Stopwatch

ORIGIN = ReadableSpan(
    "modelyard",
    resource=Resource({"service.name": "people", "service.version": "1"}),
    instrumentation_scope=InstrumentationScope("modelyard"),
)
SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def ended_span(number: int, status: int = 200, rows: int = 1, steps: int = 3, path: str = "/predict") -> PredictionSpan:
    """The span of a request that is over; every other one has a caller."""
    state = TraceState([("vendor", str(number))]) if number % 6 == 1 else TraceState()
    trace_id = 10**20 + number
    parent = SpanContext(trace_id, 900 + number, True, SAMPLED, state) if number % 2 else None
    scope = {"method": "POST", "scheme": "http", "path": path, "http_version": "1.1", "server": ("127.0.0.1", 3000)}
    ended: list[PredictionSpan] = []
    span = PredictionSpan(ORIGIN, scope, path, trace_id, parent, state, Stopwatch(), ended.append)
    for place, name in enumerate(("decode", "model", "encode")[:steps]):
        span.add(name, span.began + place, span.began + place + number)
    span.end(status, rows)
    assert ended == [span]
    span.describe()
    return span
