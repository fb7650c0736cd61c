"""The log of a service: lines to standard error, which neither a slow reader holds up nor a feature value gets into."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import traceback
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from time import monotonic, sleep
from types import MappingProxyType, TracebackType

from modelyard.config.models import ServingSettings
from modelyard.utils.common import JsonFormatter, LineFormatter

__all__ = ["REQUEST", "ServiceLog", "find_log", "set_up_logs"]

# what every line says that is written while a request is answered
REQUEST: ContextVar[Mapping[str, str]] = ContextVar("REQUEST", default=MappingProxyType({}))

MOST_LINES = 10_000
GATHER_S = 0.1
CLOSE_S = 1.0
STDERR = 2
# what uvicorn and BentoML give handlers of their own
SERVERS = ("bentoml", "circus", "uvicorn", "uvicorn.access", "uvicorn.error")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class ServiceLog(logging.Handler):
    """Writes lines from a thread of its own; what standard error does not take in time is left out and counted.

    Args:
        as_json: Whether a line is a JSON object.
        features: Whether lines may hold what clients sent.

    Attributes:
        as_json: As given.
        features: As given.
    """

    def __init__(self, *, as_json: bool, features: bool) -> None:
        super().__init__()
        self.as_json, self.features = as_json, features
        self._lines: deque[str] = deque()
        self._left_out = 0
        self._some, self._now = threading.Event(), threading.Event()
        self._ended = self._busy = False
        self._thread = threading.Thread(target=self._work, name="modelyard-log", daemon=True)
        self._thread.start()
        self.setFormatter(_formatter(as_json, features))
        atexit.register(self.close)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, with what is known of the request that it belongs to."""
        try:
            record.__dict__.update(REQUEST.get())
            self.write(self.format(record))
            self._now.set()
        except Exception:
            self.handleError(record)

    def write(self, line: str) -> None:
        """Writes a line soon."""
        if len(self._lines) >= MOST_LINES:
            self._left_out += 1
            return
        self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Writes what is left, for as long as a second."""
        self._now.set()
        deadline = monotonic() + CLOSE_S
        while (self._lines or self._busy) and monotonic() < deadline:
            sleep(CLOSE_S / 100)

    def close(self) -> None:
        """Writes what is left, for as long as a second, and ends."""
        self._ended = True
        self._some.set()
        self._now.set()
        self._thread.join(CLOSE_S)
        super().close()

    def _work(self) -> None:
        while not self._ended:
            self._some.wait()
            # one write for many requests
            self._now.wait(GATHER_S)
            self._some.clear()
            self._now.clear()
            self._busy = True
            self._write_all()
            self._busy = False
        self._write_all()

    def _write_all(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._left_out:
            count, self._left_out = self._left_out, 0
            said = f"{count} lines were left out, because standard error did not take them in time"
            lines.append(self.format(logging.LogRecord(__name__, logging.WARNING, "", 0, said, None, None)))
        left = memoryview("".join(f"{line}\n" for line in lines).encode(errors="replace"))
        try:
            while left:
                left = left[os.write(STDERR, left) :]
        except OSError:
            # nobody reads it any more
            return


def set_up_logs(serving: ServingSettings) -> None:
    """Makes a service's log of this process's, the server's own lines with it; replaces what was set up before."""
    as_json = not sys.stderr.isatty() if serving.logs == "auto" else serving.logs == "json"
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for name in SERVERS:
        server = logging.getLogger(name)
        server.handlers.clear()
        server.propagate = True
    root.addHandler(ServiceLog(as_json=as_json, features=serving.log_features))


def find_log() -> ServiceLog | None:
    """Returns the log that this process set up; none: the service is part of a program that logs as it likes."""
    return next((handler for handler in logging.getLogger().handlers if isinstance(handler, ServiceLog)), None)


class _Discreet(logging.Formatter):
    """Says of an error only where it came from and of which type it is: messages quote values."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802  # logging's name
        return _without_messages(ei[1])


class _DiscreetJson(_Discreet, JsonFormatter):
    pass


class _DiscreetLine(_Discreet, LineFormatter):
    pass


def _formatter(as_json: bool, features: bool) -> logging.Formatter:
    if features:
        return JsonFormatter() if as_json else LineFormatter()
    return _DiscreetJson() if as_json else _DiscreetLine()


def _without_messages(error: BaseException | None) -> str:
    lines: list[str] = []
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kind = type(error)
        lines.append("".join([*traceback.format_tb(error.__traceback__), f"{kind.__module__}.{kind.__qualname__}"]))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)
