"""Logging and the project's root."""

from __future__ import annotations

import datetime as dt
import json as json_text
import logging
import sys
from pathlib import Path

from modelyard.errors import UsageError, nearest

__all__ = ["JsonFormatter", "LineFormatter", "get_project_root", "setup_logging"]

MARKS = ("conf/config.yaml", "bentofile.yaml", "pyproject.toml")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def setup_logging(level: str = "INFO", json: bool | None = None) -> None:
    """Sends log records to standard error; calling it again replaces what it did before.

    Args:
        level: Least severe level to show, such as ``"INFO"``.
        json: Whether to write one JSON object a line; none: readable lines on a terminal, JSON elsewhere.

    Raises:
        UsageError: There is no such level.
    """
    name = level.upper()
    if name not in LEVELS:
        raise UsageError(f"there is no logging level {level!r}; {nearest(name, LEVELS)}")
    as_json = not sys.stderr.isatty() if json is None else json
    handler = _StderrHandler()
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _StderrHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(name)


def get_project_root(start: str | Path | None = None) -> Path:
    """Returns the nearest folder with a conf/config.yaml, a bentofile.yaml or a pyproject.toml, else the start.

    Args:
        start: Where to look from, upwards; none: the working directory.
    """
    here = Path(start or Path.cwd()).resolve()
    return next((folder for folder in (here, *here.parents) if any((folder / mark).is_file() for mark in MARKS)), here)


class _StderrHandler(logging.Handler):
    """Writes to what standard error is now: it may be replaced after the handler was made."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


class LineFormatter(logging.Formatter):
    """Lines for people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns a record with all that was given as `extra`."""
        document = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        # a leading underscore marks what a library, Ray for one, adds to every record for itself
        extra = {name: value for name, value in record.__dict__.items() if name not in STANDARD and name[0] != "_"}
        document |= extra
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json_text.dumps(document, ensure_ascii=False, default=str)
