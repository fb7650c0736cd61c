"""Sentences out of what other libraries say."""

from __future__ import annotations

__all__ = ["first_line"]


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's text, or its class where it has none; libraries go on with details."""
    return next((line.strip().rstrip(".") for line in str(error).splitlines() if line.strip()), type(error).__name__)
