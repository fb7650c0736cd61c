"""The end of a process's start: memory that only the start needed is given back, and that of large bodies will be."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["settle", "trim"]

SMAPS = Path("/proc/self/smaps")
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ +/")
OWN_PAGES = re.compile(r"^(?:Private_Dirty|Anonymous|Swap): +[1-9]")
MADV_DONTNEED = 4
# of glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# far above what a request of some rows allocates at once
LARGE_BYTES = 512 * 1024


def settle() -> None:
    """Gives back memory, and takes what lives on out of the garbage collector's way."""
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    # glibc raises both after each large block that is freed, to 32 and 64 MiB, and then keeps what large bodies took
    if (set_option := getattr(libc, "mallopt", None)) is not None:
        set_option(M_MMAP_THRESHOLD, LARGE_BYTES)
        set_option(M_TRIM_THRESHOLD, LARGE_BYTES)
    # loading a graph leaves megabytes with the C library
    trim()
    # a start maps libraries of which serving needs a part; that comes back from the page cache when it is touched
    for begin, end in list(_untouched_files()):
        libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), MADV_DONTNEED)


def trim() -> None:
    """Gives back the memory that the C library keeps between blocks in use, where it is GNU's."""
    if (malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        malloc_trim(0)


def _untouched_files() -> Iterator[tuple[int, int]]:
    """The addresses of files that are mapped for reading and hold no page of this process's own."""
    if not SMAPS.is_file():
        return
    found: tuple[int, int] | None = None
    for line in SMAPS.read_text().splitlines():
        if line[0] in "0123456789abcdef":
            if found:
                yield found
            mapping = MAPPING.match(line)
            readable = mapping and mapping[3] in ("r--p", "r-xp")
            found = (int(mapping[1], 16), int(mapping[2], 16)) if mapping and readable else None
        elif OWN_PAGES.match(line):
            found = None
    if found:
        yield found
