"""A line in the log for a request; it holds nothing that a client sent, unless that was asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import msgspec

from modelyard.config.models import ServingSettings
from modelyard.monitoring.logs import ServiceLog, find_log

__all__ = ["METHODS", "AccessLog", "Sent", "make_access_log"]

# a method of a client's own invention is none of ours to repeat
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
LONGEST = 8192


class Sent(msgspec.Struct):
    """What of a request and its answer quotes the client.

    Attributes:
        body: Of the request.
        detail: Of a refusal.
    """

    body: bytes = b""
    detail: bytes = b""


class _Line(msgspec.Struct, omit_defaults=True, gc=False):
    time: dt.datetime
    level: str
    logger: str
    message: str
    method: str
    route: str
    status: int
    duration_ms: float
    request_id: str
    model: str
    version: str
    rows: int = 0
    trace_id: str = ""
    span_id: str = ""
    body: str = ""
    detail: str = ""


class AccessLog:
    """Writes the lines of one service.

    Args:
        log: Where to.
        model: Name of the model.
        version: Its version.
        every: Whether requests that were answered get a line too.

    Attributes:
        every: As given.
        features: Whether a line may quote the client.
    """

    def __init__(self, log: ServiceLog, model: str, version: str, every: bool) -> None:
        self.every, self.features = every, log.features
        self._log, self._model = log, (model, version)
        self._encode = msgspec.json.Encoder().encode

    def write(
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        request_id: bytes,
        rows: int = 0,
        trace: Mapping[str, str] | None = None,
        sent: Sent | None = None,
    ) -> None:
        """Writes a line.

        Args:
            method: Of the request.
            route: The template of its path.
            status: Of the answer.
            seconds: How long it took.
            request_id: Of the answer.
            rows: How many were predicted.
            trace: `trace_id` and `span_id`, where the request is traced.
            sent: What quotes the client.
        """
        method = method if method in METHODS else "_OTHER"
        line = _Line(
            dt.datetime.now(dt.UTC),
            "ERROR" if status >= 500 else "INFO",
            "modelyard.access",
            f"{method} {route} {status}",
            method,
            route,
            status,
            round(1e3 * seconds, 3),
            request_id.decode(),
            *self._model,
            rows,
            **trace or {},
        )
        if self.features and sent is not None:
            line.body, line.detail = _text(sent.body), _text(sent.detail)
        self._log.write(self._encode(line).decode() if self._log.as_json else _for_people(line))


def make_access_log(serving: ServingSettings, model: str, version: str) -> AccessLog | None:
    """Returns what writes a line for a request; none: it is not wanted, or the process's log is not a service's."""
    log = find_log()
    if log is None or serving.access_log == "none":
        return None
    return AccessLog(log, model, version, serving.access_log == "all")


def _text(given: bytes) -> str:
    try:
        return given.decode()[:LONGEST]
    except UnicodeDecodeError:
        return f"{len(given)} bytes that are no text"


def _for_people(line: _Line) -> str:
    known = {name: getattr(line, name) for name in ("rows", "request_id", "trace_id", "detail", "body")}
    further = "".join(f" {name}={value}" for name, value in known.items() if value)
    return f"{line.time:%H:%M:%S} {line.level:<7} {line.logger}: {line.message} {line.duration_ms} ms{further}"
