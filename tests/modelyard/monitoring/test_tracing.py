from __future__ import annotations

import pytest

from modelyard.errors import ConfigError, ServiceError
from modelyard.monitoring import tracing
from modelyard.monitoring.tracing import find_tracing, wanted_exporters

COLLECTOR = "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "a", "OTEL_TRACES_SAMPLER": "always_on"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": COLLECTOR}, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, ()),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ("otlp", "console")),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, ()),
    ],
)
def test_the_standard_variables_turn_it_on(environment: dict[str, str], wanted: tuple[str, ...]) -> None:
    assert wanted_exporters(environment) == wanted


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"there is no exporter 'zipkin'.*use otlp, console or none"):
        wanted_exporters({"OTEL_TRACES_EXPORTER": "zipkin"})
    with pytest.raises(ConfigError, match=r"traces do not go by 'grpc'.*http/protobuf"):
        wanted_exporters({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_an_exporter_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(tracing.MODULES, "otlp", "opentelemetry.exporter.not_there.trace_exporter")
    with pytest.raises(ServiceError, match=r"pip install 'modelyard\[tracing\]'"):
        find_tracing("people", "1")


def test_off_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (tracing.EXPORTER, *tracing.ENDPOINTS):
        monkeypatch.delenv(name, raising=False)
    assert find_tracing("people", "1") is None
