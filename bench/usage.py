"""What a process and all that it started use, as Linux counts it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["cpu_seconds", "process_tree"]

TICKS = os.sysconf("SC_CLK_TCK")
PARENT, USER, SYSTEM = 1, 11, 12  # fields of /proc/PID/stat after the name


def process_tree(pid: int) -> list[int]:
    """Returns a process and all below it, itself first."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[PARENT]), []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop(0))
        waiting += children.get(found[-1], [])
    return found


def cpu_seconds(pids: list[int]) -> float:
    """Returns the CPU seconds, user's and system's, of processes."""
    return sum(int(fields[USER]) + int(fields[SYSTEM]) for pid in pids if (fields := _stat(pid))) / TICKS


def _stat(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        # the name, in parentheses, may hold anything
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []
