"""What a service can take, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.cli.console import print_pairs, print_table

if TYPE_CHECKING:
    from modelyard.models.capacity import Capacity

__all__ = ["in_short", "print_capacity"]

HEADINGS = ("connections", "requests/s", "requests/CPU s", "p50 ms", "p99 ms")


def in_short(capacity: Capacity) -> str:
    """Writes in a line what one second of CPU answers."""
    best = max(capacity.loads, key=lambda load: load.requests_per_cpu_s)
    p99 = f"p99 {best.p99_ms:.1f} ms at {best.connections} connections"
    return f"{best.requests_per_cpu_s:,.0f} requests a CPU second, {p99}"


def print_capacity(capacity: Capacity) -> None:
    """Prints the figures by number of connections, and those of the processes."""
    rows = [
        [load.connections, load.requests_per_s, load.requests_per_cpu_s, load.p50_ms, load.p99_ms]
        for load in capacity.loads
    ]
    print_table("one row a request", HEADINGS, rows)
    print_pairs(
        {
            "start": f"{capacity.start_s:.1f} s",
            "memory": f"{capacity.memory_mb:.0f} MB, largest process {capacity.worker_mb:.0f} MB",
            "measured on": f"{capacity.cpu}, {capacity.cores} cores, the load included",
        }
    )
