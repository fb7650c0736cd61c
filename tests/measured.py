"""Capacities as they would have been measured."""

from __future__ import annotations

from modelyard.models.capacity import Capacity, Load

__all__ = ["capacity_of"]


def capacity_of(
    *,
    work_ms: float = 0.25,
    alone_ms: float = 1.0,
    reach: float = 0.95,
    memory_mb: float = 300,
    workers: int = 1,
    start_s: float = 3.0,
) -> Capacity:
    """Returns a capacity.

    Args:
        work_ms: Milliseconds of CPU a request.
        alone_ms: p99 of one connection alone.
        reach: Cores that it could use.
        memory_mb: Of all processes.
        workers: Processes that answer.
        start_s: Seconds to its first answer.
    """
    rate = 1000 / work_ms
    loads = tuple(
        Load(
            connections=connections,
            requests_per_s=rate * reach * share,
            requests_per_cpu_s=rate,
            p50_ms=alone_ms * connections / 2,
            p99_ms=alone_ms * connections,
        )
        for connections, share in ((1, 0.6), (8, 1.0), (32, 1.0))
    )
    return Capacity(
        loads=loads,
        start_s=start_s,
        worker_mb=memory_mb / workers,
        memory_mb=memory_mb,
        workers=workers,
        cpu="a processor",
        cores=2,
        packages={"modelyard": "0.1.0"},
        measured_at="2026-11-25T12:00:00+00:00",
    )
