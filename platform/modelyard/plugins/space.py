"""Search spaces: what a trainer's parameters may be, without naming the library that searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Choice", "Distribution", "Float", "Int", "Params", "Space", "Value"]

Value = str | int | float | bool | None
Params = Mapping[str, Value]


@dataclass(frozen=True)
class Float:
    """A real number in [low, high]; drawn in the logarithm where `log`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Int:
    """A whole number in [low, high]; drawn in the logarithm where `log`."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    options: tuple[Value, ...]


Distribution = Float | Int | Choice
Space = Mapping[str, Distribution]
