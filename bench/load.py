"""Load on one server of this machine, and what it costs that server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard_bentos.load import ask
from modelyard_bentos.usage import cpu_seconds

__all__ = ["CONNECTIONS", "Cost", "Target", "measure"]

CONNECTIONS = 8


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


def measure(target: Target, seconds: float) -> Cost:
    """Loads a server over `CONNECTIONS` connections that are kept alive.

    Args:
        target: The server.
        seconds: How long.

    Raises:
        ServiceError: An answer was an error, or there was none.
    """
    body = json.dumps(target.body).encode()
    before = cpu_seconds(target.pid)
    answers = ask(target.url, body, connections=CONNECTIONS, seconds=seconds, headers=target.headers)
    spent = cpu_seconds(target.pid) - before
    return Cost(1e6 * spent / answers.count, answers.count / answers.seconds, answers.p50_ms, answers.p99_ms)
