"""Predictions whose outcome was counted: a bounded memory, shared by the workers of a service."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["CountedIds"]

BUCKETS, WAYS = 2**17, 8
WORD = 8
BYTES = BUCKETS * WAYS * WORD


class CountedIds:
    """The last million numbers of predictions, 8 bytes each: 8 MiB, of which only used pages take memory.

    Each number belongs to one bucket of eight, which drops its oldest. Numbers of one process are consecutive, so the
    buckets fill evenly.

    Args:
        shared: File that all workers of a service map, created if it is absent. None keeps the numbers in the memory
            of this process.

    Example:
        >>> counted = CountedIds()
        >>> counted.add([7, 8, 7]), counted.add([8])
        ([True, True, False], [False])
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._file: int | None = None
        if shared is None:
            memory = mmap.mmap(-1, BYTES)
        else:
            self._file = os.open(shared, os.O_RDWR | os.O_CREAT, 0o600)
            weakref.finalize(self, os.close, self._file)
            os.ftruncate(self._file, BYTES)
            memory = mmap.mmap(self._file, BYTES)
        self._slots = memoryview(memory).cast("Q")

    def add(self, numbers: Iterable[int]) -> list[bool]:
        """Remembers numbers of predictions, from 0 to 2**64 - 2; returns which of them are new."""
        with self._lock, self._locked_file():
            # 0 is an empty slot
            return [self._add(number + 1) for number in numbers]

    def _add(self, key: int) -> bool:
        start = key % BUCKETS * WAYS
        bucket = self._slots[start : start + WAYS]
        kept = bucket.tolist()
        if key in kept:
            return False
        for place, value in enumerate((key, *kept[:-1])):
            bucket[place] = value
        return True

    @contextmanager
    def _locked_file(self) -> Iterator[None]:
        """Keeps other workers out; a worker that dies releases the lock."""
        if self._file is None:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
