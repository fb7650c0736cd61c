"""Ranges of ports that nothing listens on now."""

from __future__ import annotations

import os
import random
import socket

__all__ = ["free_range"]

# below those that the system gives to connections
FIRST, LAST = 12000, 30000


def free_range(count: int) -> int:
    """Returns the first port of a free range, another one in each process that tests."""
    draw = random.Random(os.urandom(8))
    for _ in range(200):
        first = draw.randrange(FIRST, LAST - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError(f"no {count} ports in a row are free")


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
