from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from ended_span import ended_span
from modelyard.monitoring.otlp import MOST_FORMS, Forms, OtlpExporter
from modelyard.monitoring.prediction_span import unfold

decoded = ExportTraceServiceRequest.FromString


def sent(request: Any) -> list[Span]:
    """The spans of a request, without the ids of steps, which are drawn."""
    spans = [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
    steps = [span for span in spans if span.name in ("decode", "model", "encode")]
    assert len({span.span_id for span in spans}) == len(spans)
    for step in steps:
        step.span_id = b""
    return spans


def test_what_fills_a_form_is_what_the_sdk_encodes() -> None:
    spans = [
        ended_span(number, status, rows, steps)
        for number, (status, rows, steps) in enumerate([(200, 1, 3), (422, 0, 1), (200, 40, 3), (499, 0, 3)] * 5)
    ]
    forms = Forms()
    for _ in range(2):
        request, expected = decoded(forms.encode(spans)), encode_spans(unfold(spans))
        assert [each.resource for each in request.resource_spans] == [expected.resource_spans[0].resource]
        assert request.resource_spans[0].scope_spans[0].scope == expected.resource_spans[0].scope_spans[0].scope
        assert sent(request) == sent(expected)


def test_spans_of_others_are_sent_beside_them() -> None:
    other = ended_span(7).unfold()[0]
    request = decoded(Forms().encode([ended_span(1), other, ended_span(2)]))
    assert sorted(span.trace_id[-1] - (10**20 & 0xFF) for span in sent(request)) == [1] * 4 + [2] * 4 + [7]


def test_forms_are_as_many_as_are_used_and_no_more() -> None:
    forms = Forms()
    forms.encode([ended_span(number, path=f"/{number}") for number in range(MOST_FORMS + 10)])
    assert len(forms._forms) == 10


class Client:
    def __init__(self, success: bool) -> None:
        self.success, self.bodies = success, list[bytes]()

    def export(self, body: bytes) -> Client:
        self.bodies.append(body)
        return self

    def shutdown(self) -> None:
        """There is nothing to end."""


@pytest.mark.parametrize(("success", "result"), [(True, SpanExportResult.SUCCESS), (False, SpanExportResult.FAILURE)])
def test_what_became_of_a_batch_is_said(success: bool, result: SpanExportResult) -> None:
    exporter = OtlpExporter()
    client = exporter._client = Client(success)
    assert exporter.export([ended_span(1)]) is result
    assert len(client.bodies) == 1
    exporter.shutdown()


def test_without_the_client_that_is_not_public_the_sdk_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[ReadableSpan]] = []

    def export(_: Any, spans: list[ReadableSpan]) -> SpanExportResult:
        given.append(spans)
        return SpanExportResult.SUCCESS

    exporter = OtlpExporter()
    monkeypatch.delattr(exporter, "_client")
    monkeypatch.setattr(OtlpExporter.__bases__[0], "export", export)
    assert exporter.export([ended_span(1)]) is SpanExportResult.SUCCESS
    assert [span.name for span in given[0]] == ["POST /predict", "decode", "model", "encode"]
