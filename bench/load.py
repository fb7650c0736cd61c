"""Load by `wrk` on one server of this machine, and what it costs that server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usage import cpu_seconds, process_tree

__all__ = ["CONNECTIONS", "Cost", "Target", "measure", "need_wrk"]

CONNECTIONS = 8
LONGEST_ANSWER_S = 5

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
{headers}
wrk.body = {body}
done = function(summary, latency, requests)
  local wrong = 0
  for _, count in pairs(summary.errors) do wrong = wrong + count end
  io.write(string.format('\\n{{"requests": %d, "wrong": %d, "p50": %f, "p99": %f}}\\n',
    summary.requests, wrong, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Target:
    """What is asked.

    Attributes:
        pid: The process that all of the server's others are below.
        url: Where it answers.
        body: The JSON of a request.
        headers: Further headers of a request.
    """

    pid: int
    url: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a server spent while it was loaded.

    Attributes:
        cpu_us: CPU microseconds a request, of all its processes.
        rate: Answers a second.
        p50_ms: Median milliseconds from request to answer.
        p99_ms: The same for the slowest in a hundred.
    """

    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float


def need_wrk() -> None:
    """Ends the program where wrk is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: install it (Debian: apt-get install wrk)")


def measure(target: Target, seconds: int, work: Path) -> Cost:
    """Loads a server over `CONNECTIONS` connections that are kept alive.

    Args:
        target: The server.
        seconds: How long.
        work: A folder for wrk's script.

    Raises:
        RuntimeError: An answer was an error, or there was none.
    """
    script = work / "request.lua"
    headers = "\n".join(f"wrk.headers[{_lua(name)}] = {_lua(value)}" for name, value in target.headers.items())
    script.write_text(SCRIPT.format(headers=headers, body=_lua(json.dumps(target.body))))
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", f"--timeout={LONGEST_ANSWER_S}s", "-s", str(script)]
    tree = process_tree(target.pid)
    before = cpu_seconds(tree)
    done = subprocess.run(
        [*command, target.url], capture_output=True, text=True, check=True, timeout=seconds + 4 * LONGEST_ANSWER_S
    )
    spent = cpu_seconds(tree) - before
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if said["wrong"] or not said["requests"]:
        raise RuntimeError(f"{target.url}: {said['requests']} answers, {said['wrong']} of them wrong")
    return Cost(1e6 * spent / said["requests"], said["requests"] / seconds, said["p50"] / 1e3, said["p99"] / 1e3)


def _lua(text: str) -> str:
    return f"[==[{text}]==]"
