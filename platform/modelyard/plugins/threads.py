"""Threads of libraries that take no argument for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["limited_threads"]


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Limits the pools of OpenMP and BLAS inside the block; a negative number takes all cores."""
    # a service reads a card, which imports this module, and has no scikit-learn that brings threadpoolctl
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads if threads > 0 else None):
        yield
