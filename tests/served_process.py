"""The application in a process of its own: `python -m modelyard.api`, with its standard error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from free_ports import free_range
from waiting import DEADLINE_S, until


def json_lines(log: Path) -> list[dict[str, Any]]:
    """Returns the lines of a log; the one that is just being written is left out."""
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


@dataclass
class Process:
    client: httpx.Client
    child: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the log, as JSON."""
        return json_lines(self.log)

    def line_of(self, answer: httpx.Response) -> dict[str, Any]:
        """The line of the access log for an answer."""
        wanted = answer.headers["x-request-id"]

        def find() -> dict[str, Any] | None:
            lines = [line for line in self.lines() if line.get("logger") == "modelyard.access"]
            return next((line for line in lines if line["request_id"] == wanted), None)

        until(lambda: find() is not None)
        found = find()
        assert found is not None
        return found

    def end(self) -> int:
        """Ends it by SIGTERM, and returns its exit code."""
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(DEADLINE_S)


@contextmanager
def served(
    model: Path, folder: Path, environment: Mapping[str, str] | None = None, *overrides: str
) -> Iterator[Process]:
    """Serves a model's folder until the end of the block."""
    port, log = free_range(1), folder / "log"
    command = [sys.executable, "-m", "modelyard.api", "--port", str(port), "serving.drain_seconds=0", *overrides]
    given = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    given |= {"MODELYARD_MODEL": str(model), **(environment or {})}
    with log.open("wb") as out, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as client:
        child = subprocess.Popen(command, cwd=folder, env=given, stderr=out)
        process = Process(client, child, log)
        try:
            until(lambda: _answers(process))
            yield process
        finally:
            if child.poll() is None:
                process.end()


def _answers(process: Process) -> bool:
    assert process.child.poll() is None, process.log.read_text()
    try:
        return process.client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
