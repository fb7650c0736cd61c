"""Whether requests are traced, as OpenTelemetry's standard environment variables say; off unless they ask for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from modelyard.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from modelyard.monitoring.spans import Tracing  # it brings OpenTelemetry's SDK

__all__ = ["TRACEPARENT", "find_tracing", "wanted_exporters"]

# W3C's header that names a caller's span
TRACEPARENT = b"traceparent"

EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HTTP = "http/protobuf"
MODULES = {"otlp": "opentelemetry.exporter.otlp.proto.http.trace_exporter", "console": "opentelemetry.sdk.trace.export"}


def find_tracing(model: str, version: str) -> Tracing | None:
    """Returns what traces the requests of this process, or nothing.

    Args:
        model: Name of the model that answers.
        version: Its version.

    Raises:
        ConfigError: A variable asks for what there is not.
        ServiceError: A package is not installed, or OpenTelemetry refuses a variable.
    """
    exporters = wanted_exporters(os.environ)
    if not exporters:
        return None
    for name in exporters:
        if not _installed(MODULES[name]):
            raise ServiceError(
                f"{EXPORTER} or an endpoint asks for traces by {name}, which is not installed: "
                "pip install 'modelyard[tracing]', or set OTEL_SDK_DISABLED=true"
            )
    try:
        found: Tracing = import_module("modelyard.monitoring.spans").Tracing(exporters, model, version)
    except ValueError as error:
        raise ServiceError(f"OpenTelemetry refuses one of the OTEL_ variables: {error}") from None
    return found


def wanted_exporters(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the names of the exporters that the variables ask for.

    Raises:
        ConfigError: There is no such exporter, or it does not speak that protocol.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    default = "otlp" if any(environment.get(name) for name in ENDPOINTS) else "none"
    wanted = [name.strip() for name in (environment.get(EXPORTER) or default).split(",")]
    names = tuple(dict.fromkeys(name for name in wanted if name not in ("", "none")))
    for name in names:
        if name not in MODULES:
            raise ConfigError(EXPORTER, f"there is no exporter {name!r}", "environment", "use otlp, console or none")
    protocol = next(filter(None, map(environment.get, PROTOCOLS)), HTTP)
    if "otlp" in names and protocol != HTTP:
        hint = f"set {PROTOCOLS[0]}={HTTP}"
        raise ConfigError(PROTOCOLS[0], f"traces do not go by {protocol!r}", "environment", hint)
    return names


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
