"""Threads of libraries that take no argument for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["limited_threads", "loaded_pools"]


def loaded_pools() -> ThreadpoolController:
    """Returns the pools of OpenMP and BLAS that are loaded now; to find them takes milliseconds."""
    # a service reads a card, which imports this module, and has no scikit-learn that brings threadpoolctl
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def limited_threads(threads: int, pools: ThreadpoolController | None = None) -> Iterator[None]:
    """Limits the pools of OpenMP and BLAS inside the block; a negative number takes all cores.

    Args:
        threads: How many each pool may use.
        pools: What `loaded_pools` found, for a block that is entered often.
    """
    with (loaded_pools() if pools is None else pools).limit(limits=threads if threads > 0 else None):
        yield
