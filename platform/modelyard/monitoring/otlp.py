"""Spans to a collector, by OTLP over HTTP.

OpenTelemetry's encoder takes a prediction and its steps as long as a small model takes to answer several. Yet they are
nearly all alike: of those of one shape it encodes the first, and for the others ids and times are put in their places,
which are of fixed length in OTLP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from random import randbytes

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from modelyard.monitoring.prediction_span import PredictionSpan, Shape, unfold

__all__ = ["Forms", "OtlpExporter"]

MOST_FORMS = 256
# numbers of fields in OTLP's messages
RESOURCE_SPANS, SCOPE_SPANS = 1, 2


class OtlpExporter(OTLPSpanExporter):
    """Sends spans, predictions among them."""

    def __init__(self) -> None:
        super().__init__()
        self._forms = Forms()

    def export(self, spans: Sequence[ReadableSpan | PredictionSpan]) -> SpanExportResult:
        """Sends a batch, and tries again for as long as OTEL_EXPORTER_OTLP_TIMEOUT says."""
        client = getattr(self, "_client", None)
        if client is None:
            # it is not public, and a later release may call it otherwise
            return super().export(unfold(spans))
        sent = client.export(self._forms.encode(spans))
        return SpanExportResult.SUCCESS if sent.success else SpanExportResult.FAILURE


class Forms:
    """Encodes spans, predictions by forms."""

    def __init__(self) -> None:
        self._forms: dict[Shape, _Form] = {}

    def encode(self, spans: Sequence[ReadableSpan | PredictionSpan]) -> bytes:
        """Returns what OTLP sends of a batch, an ExportTraceServiceRequest."""
        predictions = [span for span in spans if isinstance(span, PredictionSpan)]
        others = encode_spans([span for span in spans if not isinstance(span, PredictionSpan)])
        if not predictions:
            return bytes(others.SerializeToString())
        resource = encode_spans(predictions[0].unfold()[:1]).resource_spans[0]
        scope = resource.scope_spans.pop()
        del scope.spans[:]
        filled = (self._form(span)(span) for span in predictions)
        in_scope = _field(SCOPE_SPANS, b"".join((scope.SerializeToString(), *filled)))
        return bytes(others.SerializeToString()) + _field(RESOURCE_SPANS, resource.SerializeToString() + in_scope)

    def _form(self, span: PredictionSpan) -> _Form:
        shape = span.shape
        form = self._forms.get(shape)
        if form is None:
            if len(self._forms) >= MOST_FORMS:
                self._forms.clear()
            form = self._forms[shape] = _Form(span)
        return form


class _Form:
    """The spans of a prediction and its steps as bytes, with places for what differs.

    Args:
        span: The first of its shape.
    """

    def __init__(self, span: PredictionSpan) -> None:
        messages = encode_spans(span.unfold()).resource_spans[0].scope_spans[0].spans
        whole = messages[0]
        trace_id, root, parent = marks = [randbytes(16), randbytes(8), randbytes(8)]
        for message in messages:
            message.trace_id, message.parent_span_id, message.span_id = trace_id, root, randbytes(8)
            began, ended = randbytes(8), randbytes(8)
            message.start_time_unix_nano, message.end_time_unix_nano = _number(began), _number(ended)
            marks += (began, ended) if message is whole else (message.span_id, began, ended)
        whole.span_id, whole.parent_span_id = root, parent if span.parent is not None else b""
        encoded = ScopeSpans(spans=messages).SerializeToString()
        places = re.compile(b"|".join(map(re.escape, marks)), re.DOTALL)
        found = [marks.index(mark) for mark in places.findall(encoded)]
        self._in_order: Callable[[list[bytes]], tuple[bytes, ...]] = itemgetter(*found)
        self._parts = [b""] * (2 * len(found) + 1)
        self._parts[::2] = places.split(encoded)

    def __call__(self, span: PredictionSpan) -> bytes:
        """Returns another one."""
        own = span.context
        parent = span.parent.span_id.to_bytes(8) if span.parent is not None else b""
        values = [own.trace_id.to_bytes(16), own.span_id.to_bytes(8), parent, _bytes(span.began), _bytes(span.ended)]
        for _, began, ended in span.steps:
            values += (randbytes(8), _bytes(began), _bytes(ended))
        self._parts[1::2] = self._in_order(values)
        return b"".join(self._parts)


def _field(number: int, content: bytes) -> bytes:
    """A message within another, as Protocol Buffers write it."""
    length, rest = bytearray(), len(content)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([number << 3 | 2]) + length + content


def _number(mark: bytes) -> int:
    return int.from_bytes(mark, "little")


def _bytes(time: int) -> bytes:
    return time.to_bytes(8, "little")
