"""What a process and all that it started use."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import psutil

__all__ = ["cpu_seconds", "largest_mb", "memory_mb"]


def cpu_seconds(pid: int) -> float:
    """Returns the CPU seconds, the user's and the system's, of a process and of all below it."""
    return sum(_each(pid, lambda process: sum(process.cpu_times()[:2])))


def largest_mb(pid: int) -> float:
    """Returns the resident memory of the largest process, in megabytes (10^6 bytes)."""
    return max(_each(pid, lambda process: process.memory_info().rss), default=0.0) / 1e6


def memory_mb(pid: int) -> float:
    """Returns the most memory that all processes took together, in megabytes (10^6 bytes).

    On Linux a page that several share counts once (proportional set size), and each process with the most that it ever
    had resident: loading a large model takes twice what it takes later. Elsewhere it is what they take now.
    """
    return sum(_each(pid, _memory)) / 1e6


def _memory(process: psutil.Process) -> float:
    used = process.memory_full_info()
    return float(getattr(used, "pss", used.rss)) + _given_back(process.pid)


def _given_back(pid: int) -> float:
    """Bytes that a process had resident once and has no more."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return 0.0
    kilobytes = dict(re.findall(r"^Vm(HWM|RSS):\s+(\d+) kB", status.read_text(), re.MULTILINE))
    return 1024.0 * (int(kilobytes["HWM"]) - int(kilobytes["RSS"]))


def _each(pid: int, figure: Callable[[psutil.Process], float]) -> list[float]:
    """Asks every process that has not ended meanwhile."""
    figures = []
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                figures.append(figure(process))
    return figures
