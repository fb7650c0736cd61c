"""Parts of sentences: what other libraries say, and values that were received."""

from __future__ import annotations

from typing import Any

__all__ = ["first_line", "shown_value"]

MAX_SHOWN = 60


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's text, or its class where it has none; libraries go on with details."""
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)


def shown_value(value: Any) -> str:
    """Returns a received value for a message, as Python writes it, at most 60 characters long."""
    # a NumPy scalar is written as the plain value that it holds
    shown = repr(value.item() if getattr(value, "ndim", None) == 0 else value)
    return shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + "..."
