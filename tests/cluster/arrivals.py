"""Requests that come at random, whether or not the earlier ones were answered: a queue shows itself only so."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

__all__ = ["Arrival", "Step", "Window", "arrive", "windows"]

TIME_LIMIT_S = 10.0


@dataclass(frozen=True)
class Step:
    """A load that stays for a while.

    Attributes:
        seconds: How long.
        rate: Requests a second, on average.
    """

    seconds: float
    rate: float


@dataclass(frozen=True)
class Arrival:
    """A request, over a connection of its own.

    Attributes:
        at: When it was due, in seconds from the beginning.
        ms: Milliseconds from then to the end of the answer.
        outcome: The answer's status, or the name of what went wrong.
    """

    at: float
    ms: float
    outcome: str


@dataclass(frozen=True)
class Window:
    """What came in a span of time.

    Attributes:
        at: Its beginning, in seconds.
        answered: Predictions.
        p50_ms: Median of their times; 0 where there was none.
        p99_ms: The same for the slowest in a hundred.
        refused: Answers of status 429.
    """

    at: float
    answered: int
    p50_ms: float
    p99_ms: float
    refused: int


def arrive(url: str, body: bytes, steps: Sequence[Step], seed: int = 1) -> list[Arrival]:
    """Sends requests as a Poisson process, and returns what became of each when all have ended."""
    return asyncio.run(_arrive(url, body, steps, random.Random(seed)))


async def _arrive(url: str, body: bytes, steps: Sequence[Step], chance: random.Random) -> list[Arrival]:
    parts = urlsplit(url)
    head = f"POST /api/v1/predict HTTP/1.1\r\nHost: {parts.hostname}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
    began, seen = time.monotonic(), list[Arrival]()

    async def ask(at: float) -> None:
        try:
            async with asyncio.timeout(TIME_LIMIT_S):
                outcome = await _status(str(parts.hostname), parts.port or 80, request)
        except (OSError, ValueError) as error:
            outcome = type(error).__name__
        seen.append(Arrival(at, 1000 * (time.monotonic() - began - at), outcome))

    async with asyncio.TaskGroup() as tasks:
        at = end = 0.0
        for step in steps:
            end += step.seconds
            while (at := at + chance.expovariate(step.rate)) < end:
                await asyncio.sleep(max(0, began + at - time.monotonic()))
                tasks.create_task(ask(at))
            at = end
    return sorted(seen, key=lambda arrival: arrival.at)


async def _status(host: str, port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        answer = await reader.read()
    finally:
        writer.close()
    status, found, _ = answer.partition(b"\r\n")
    if not found:
        raise ValueError("the connection was closed without an answer")
    return status.split()[1].decode()


def windows(arrivals: Sequence[Arrival], seconds: float) -> list[Window]:
    """Sums up requests by when they were due."""
    spans: dict[int, list[Arrival]] = {}
    for arrival in arrivals:
        spans.setdefault(int(arrival.at // seconds), []).append(arrival)
    return [_window(number * seconds, spans[number]) for number in sorted(spans)]


def _window(at: float, arrivals: Sequence[Arrival]) -> Window:
    times = [arrival.ms for arrival in arrivals if arrival.outcome == "200"]
    p50, p99 = np.percentile(times, (50, 99)) if times else (0.0, 0.0)
    refused = sum(arrival.outcome == "429" for arrival in arrivals)
    return Window(at, len(times), round(float(p50), 1), round(float(p99), 1), refused)
