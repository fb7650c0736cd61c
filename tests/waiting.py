"""Waiting for a condition, with a limit."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["DEADLINE_S", "until"]

DEADLINE_S = 60.0


def until(done: Callable[[], object], seconds: float = DEADLINE_S) -> None:
    """Returns once `done` holds, within so many seconds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
