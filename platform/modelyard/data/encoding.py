"""Rows to one float32 matrix, from the contract alone, in training and serving alike.

The matrix has, in the contract's order, one column for each numeric, boolean and categorical column and
`DATE_PARTS` columns for each datetime. Categories become codes: `NULL_CODE`, `UNKNOWN_CODE`, then the
vocabulary, the most frequent first, so that a tree's threshold on a code is a threshold on frequency. Every
other null is NaN. Values are rounded to float32 here, before any fit, so that a compiled model sees exactly
what its original saw.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Column, Contract
from modelyard.errors import ContractViolation

__all__ = [
    "DATE_PARTS",
    "FIRST_CODE",
    "NULL_CODE",
    "UNKNOWN_CODE",
    "Encoder",
    "Feature",
    "booleans",
    "category_text",
    "features_of",
    "numbers",
    "timestamps",
]

NULL_CODE, UNKNOWN_CODE, FIRST_CODE = 0, 1, 2
DATE_PARTS = ("days", "month", "day", "weekday", "second")
LARGEST = float(np.finfo(np.float32).max)
TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    Attributes:
        name: The column's name, with ``.part`` for a part of a datetime.
        column: The contract's column it comes from.
        kind: ``category`` holds codes, ``number`` anything else; only numbers can be NaN.
        size: Number of codes of a category, with the two reserved ones; 0 for a number.
    """

    name: str
    column: str
    kind: Literal["number", "category"]
    size: int = 0


def features_of(contract: Contract) -> tuple[Feature, ...]:
    """Returns what each column of the matrix is."""
    features: list[Feature] = []
    for column in contract.columns:
        if column.kind == "categorical":
            features.append(Feature(column.name, column.name, "category", FIRST_CODE + len(column.vocabulary)))
        elif column.kind == "datetime":
            features.extend(Feature(f"{column.name}.{part}", column.name, "number") for part in DATE_PARTS)
        else:
            features.append(Feature(column.name, column.name, "number"))
    return tuple(features)


class Encoder:
    """Encodes rows of one contract.

    Args:
        contract: Says what each column is.

    Attributes:
        features: What each column of the matrix is.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.features = features_of(contract)
        self._codes = {
            column.name: {category: FIRST_CODE + code for code, category in enumerate(column.vocabulary)}
            for column in contract.columns
        }

    def encode(self, table: Mapping[str, Any] | Any) -> NDArray[np.float32]:
        """Encodes columns of equal length n.

        Args:
            table: A mapping of column name to values (list, array or pandas series), or a pandas frame.
                Further columns are ignored.

        Returns:
            A C-contiguous matrix of shape (n, len(features)).

        Raises:
            ContractViolation: A column is missing, or a value is not of its column's kind.
        """
        missing = [name for name in self.contract.names if name not in table]
        if missing:
            raise ContractViolation([f"column {name!r} is missing" for name in missing])
        parts: list[NDArray[np.float32]] = []
        for column in self.contract.columns:
            parts.extend(self._encode_column(column, _values(table[column.name])))
        if not parts:
            raise ContractViolation(["the contract has no input columns"])
        return np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32)

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
        """Encodes rows given as mappings; a column that a row lacks counts as null."""
        return self.encode({name: [row.get(name) for row in rows] for name in self.contract.names})

    def _encode_column(self, column: Column, values: Any) -> list[NDArray[np.float32]]:
        if column.kind == "categorical":
            codes = self._codes[column.name]
            texts = (category_text(value) for value in values)
            encoded = (NULL_CODE if text is None else codes.get(text, UNKNOWN_CODE) for text in texts)
            return [np.fromiter(encoded, np.float32, len(values))]
        if column.kind == "datetime":
            return _date_parts(timestamps(values, column.name))
        read = booleans if column.kind == "boolean" else numbers
        return [np.clip(read(values, column.name), -LARGEST, LARGEST).astype(np.float32)]


def category_text(value: Any) -> str | None:
    """Returns a category's canonical text: 3, 3.0 and "3" are one category; None for a null."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Converts a column to float64 with NaN for null.

    Raises:
        ContractViolation: Names the first value that is no number.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return _each(values, name, "a number", lambda value: float(value))


def booleans(values: Any, name: str) -> NDArray[np.float64]:
    """Converts a column of booleans, 0/1 or true/false texts to 1.0, 0.0 and NaN for null.

    Raises:
        ContractViolation: Names the first value that is no boolean.
    """
    if isinstance(values, np.ndarray) and values.dtype == np.bool_:
        return values.astype(np.float64)
    return _each(values, name, "a boolean", lambda value: TRUTH[str(value).strip().lower()])


def timestamps(values: Any, name: str) -> NDArray[np.float64]:
    """Converts a column of datetimes or ISO 8601 texts to seconds since 1970 in UTC, NaN for null.

    A time without an offset is taken as UTC.

    Raises:
        ContractViolation: Names the first value that is no datetime.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
        return np.where(np.isnat(values), np.nan, seconds)
    return _each(values, name, "an ISO 8601 datetime", _timestamp)


def _timestamp(value: Any) -> float:
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64) / 1e6)
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value.strip())
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    return float(value.timestamp())


def _date_parts(seconds: NDArray[np.float64]) -> list[NDArray[np.float32]]:
    known = np.isfinite(seconds)
    whole = np.where(known, seconds, 0.0)
    days = np.floor(whole / 86400.0)
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    parts = (
        days,
        months.astype(np.int64) % 12 + 1,
        (dates - months).astype(np.int64) + 1,
        (days + 3) % 7,
        whole - days * 86400.0,
    )
    return [np.where(known, part, np.nan).astype(np.float32) for part in parts]


def _each(values: Any, name: str, what: str, convert: Callable[[Any], float]) -> NDArray[np.float64]:
    result = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if value is None or value != value:
            continue
        try:
            result[row] = convert(value)
        except (TypeError, ValueError, KeyError, OverflowError, AttributeError):
            raise ContractViolation([f"column {name!r}, row {row + 1}: {value!r} is not {what}"]) from None
    return result


def _values(column: Any) -> Any:
    """Takes pandas' own null out of a series; arrays and lists pass as they are."""
    if not hasattr(column, "to_numpy"):
        return column
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiubM":
        return column.to_numpy()
    if getattr(column.dtype, "kind", "O") == "M":  # with a time zone: numpy's datetimes are UTC
        return column.to_numpy(dtype="datetime64[us]")
    return column.to_numpy(dtype=object, na_value=None)
