"""Ray pickles the parts of a search so that it could restore them; ours live in the ledger."""

from __future__ import annotations

from typing import Any

__all__ = ["Scratch"]


class Scratch:
    """A part of a search that Ray's saved state holds an empty place for; it may have threads and files."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles as nothing."""
        return (object, ())
