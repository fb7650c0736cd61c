"""Typed values to the matrix, fast: what `Encoder` does, for values that are of the right kind already.

`Encoder` defines the encoding and takes anything; a test holds both of these to it for every kind of column.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Column, Contract
from modelyard.data.encoding import FIRST_CODE, NULL_CODE, UNKNOWN_CODE, Encoder, category_text, features_of

__all__ = ["RowEncoder", "TypedEncoder", "category_codes", "takes_numbers"]

NAN = float("nan")
EPOCH = dt.datetime(1970, 1, 1)
TRUTH: Mapping[Any, float] = {True: 1.0, False: 0.0, None: NAN}
NO_DATE = (NAN,) * 5


class TypedEncoder(Encoder):
    """Encodes columns of typed values: categories are looked up as they are, not by their canonical text.

    Args:
        contract: Says what each column is.
    """

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self._codes = {column.name: _Codes(category_codes(column)) for column in contract.columns}

    def _encode_categories(self, codes: Mapping[Any, int], values: Any) -> NDArray[np.float32]:
        return np.fromiter(map(codes.__getitem__, values), np.float32, len(values))


class _Codes(dict[Any, int]):
    """Codes by category; one that is not there is unknown, and stays so."""

    def __missing__(self, category: Any) -> int:
        return UNKNOWN_CODE


class RowEncoder:
    """Encodes rows of typed values, one at a time, into a buffer that is there already: NumPy is slow for one value.

    Args:
        contract: Says what each column is.
        matrix: Where the row goes: float32, shape (1, features), C-contiguous.
    """

    def __init__(self, contract: Contract, matrix: NDArray[np.float32]) -> None:
        self._buffer = memoryview(matrix.data)
        # the native form would write infinity for a number beyond float32, this one says so
        self._pack = struct.Struct(f"={len(features_of(contract))}f").pack_into
        places = list(enumerate(contract.columns))
        self._codes = [(place, category_codes(column).get) for place, column in places if column.kind == "categorical"]
        self._booleans = [place for place, column in places if column.kind == "boolean"]
        # from the right, since a date becomes several values
        self._dates = [place for place, column in reversed(places) if column.kind == "datetime"]
        self._mixed = any(column.kind != "numeric" for column in contract.columns)

    def __call__(self, row: Sequence[Any]) -> None:
        """Encodes the values of a row, in the contract's order, nulls as None, numbers finite.

        Raises:
            KeyError: A value is no boolean.
            OverflowError: A number is beyond float32.
            ValueError: A text is no ISO 8601 datetime.
        """
        values: Any = list(row) if self._mixed else row
        for place, code_of in self._codes:
            values[place] = code_of(values[place], UNKNOWN_CODE)
        for place in self._booleans:
            values[place] = TRUTH[values[place]]
        for place in self._dates:
            values[place : place + 1] = _date_parts(values[place])
        if None in values:
            values = [NAN if value is None else value for value in values]
        self._pack(self._buffer, 0, *values)


def category_codes(column: Column) -> dict[Any, int]:
    """Returns the code of each category, of its number where it stands for one, and of null."""
    codes: dict[Any, int] = {None: NULL_CODE}
    for code, category in enumerate(column.vocabulary, FIRST_CODE):
        codes[category] = code
        # 3, 3.0 and "3" are one category, "3.0" is another; past 2^53 a whole number is no float
        for kind in (int, float):
            number = _number(kind, category)
            if number is not None and category_text(number) == category:
                codes[number] = code
    return codes


def takes_numbers(column: Column) -> bool:
    """Whether some of a column's categories can come as numbers."""
    return len(category_codes(column)) > len(column.vocabulary) + 1


def _number(kind: type[int] | type[float], text: str) -> float | None:
    try:
        return kind(text)
    except ValueError:
        return None


def _date_parts(text: str | None) -> tuple[float, ...]:
    if text is None:
        return NO_DATE
    value = dt.datetime.fromisoformat(text.strip())
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    since = value - EPOCH
    return since.days, value.month, value.day, value.weekday(), (since.seconds * 1_000_000 + since.microseconds) / 1e6
