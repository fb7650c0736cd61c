"""Who uses the cluster: many may, but it is started anew and ended only while nobody does."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.bed.layout import LOCK
from cluster.bed.shell import BedError

__all__ = ["alone", "together"]


@contextmanager
def alone() -> Iterator[None]:
    """Keeps everybody else away.

    Raises:
        BedError: The cluster is in use.
    """
    descriptor = _take(fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def together() -> int:
    """Says that this process, and whatever it becomes, uses the cluster until it ends or closes the descriptor.

    Returns:
        The descriptor.

    Raises:
        BedError: The cluster is being started or ended.
    """
    descriptor = _take(fcntl.LOCK_SH)
    os.set_inheritable(descriptor, True)
    return descriptor


def _take(kind: int) -> int:
    descriptor = os.open(LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise BedError(
            "the cluster is in use: wait for the other `cluster` command or session of tests, or end it"
        ) from None
    return descriptor
