"""Rows to one float32 matrix, from the contract alone, in training and serving alike.

The matrix has, in the contract's order, one column for each numeric, boolean and categorical column and
`DATE_PARTS` columns for each datetime. Categories become codes: `NULL_CODE`, `UNKNOWN_CODE`, then the
vocabulary, the most frequent first, so that a tree's threshold on a code is a threshold on frequency. Every
other null is NaN. Values are rounded to float32 here, before any fit, so that a compiled model sees exactly
what its original saw.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Column, Contract
from modelyard.data.row_checks import check_keys
from modelyard.errors import ContractViolation
from modelyard.utils.sentences import shown_value

__all__ = [
    "DATE_PARTS",
    "FIRST_CODE",
    "NULL_CODE",
    "UNKNOWN_CODE",
    "Encoder",
    "Feature",
    "booleans",
    "category_text",
    "encoded_seconds",
    "features_of",
    "has_distinct",
    "instants",
    "numbers",
    "plain_values",
    "timestamps",
]

NULL_CODE, UNKNOWN_CODE, FIRST_CODE = 0, 1, 2
SECONDS_A_DAY = 86_400.0
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
            parts.extend(self._encode_column(column, table[column.name]))
        if not parts:
            raise ContractViolation(["the contract has no input columns"])
        return np.ascontiguousarray(np.stack(parts, axis=1), dtype=np.float32)

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
        """Encodes rows given as mappings by column; a nullable column that a row lacks is null.

        Args:
            rows: Mappings whose keys are the contract's columns.

        Returns:
            A matrix of shape (n, len(features)).

        Raises:
            ContractViolation: A key is missing or unknown, or a value is not of its column's kind; names the row.
        """
        check_keys(self.contract, rows)
        return self.encode({name: [row.get(name) for row in rows] for name in self.contract.names})

    def _encode_column(self, column: Column, values: Any) -> list[NDArray[np.float32]]:
        if column.kind == "categorical":
            return [self._encode_categories(self._codes[column.name], values)]
        if column.kind == "datetime":
            return _date_parts(instants(plain_values(values), column.name))
        read = booleans if column.kind == "boolean" else numbers
        return [np.clip(read(values, column.name), -LARGEST, LARGEST).astype(np.float32)]

    def _encode_categories(self, codes: Mapping[str, int], values: Any) -> NDArray[np.float32]:
        if has_distinct(values):
            places, distinct = values.factorize()
            by_place = [codes.get(category_text(value) or "", UNKNOWN_CODE) for value in distinct]
            # factorize gives a null the place -1, which wraps round to the last
            return np.array([*by_place, NULL_CODE], dtype=np.float32).take(np.asarray(places), mode="wrap")
        texts = (category_text(value) for value in plain_values(values))
        encoded = (NULL_CODE if text is None else codes.get(text, UNKNOWN_CODE) for text in texts)
        return np.fromiter(encoded, np.float32, len(values))


def category_text(value: Any) -> str | None:
    """Returns a category's canonical text: 3, 3.0 and "3" are one category; None for a null."""
    if isinstance(value, str):
        return value
    if _is_null(value):
        return None
    if isinstance(value, float | np.floating):
        value = float(value)
        return str(int(value)) if value.is_integer() else str(value)
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def numbers(values: Any, name: str) -> NDArray[np.float64]:
    """Converts a column to float64 with NaN for null.

    Raises:
        ContractViolation: Names the first value that is no number.
    """
    values = plain_values(values)
    try:
        result = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        result = None
    # a column of JSON arrays would become a matrix
    if result is not None and result.ndim == 1:
        return result
    return _each(values, name, "a number", float)


def booleans(values: Any, name: str) -> NDArray[np.float64]:
    """Converts a column of booleans, 0/1 or true/false texts to 1.0, 0.0 and NaN for null.

    Raises:
        ContractViolation: Names the first value that is no boolean.
    """
    values = plain_values(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "biuf":
        result = values.astype(np.float64)
        if ((result == 0) | (result == 1) | np.isnan(result)).all():
            return result
    return _each(values, name, "a boolean", lambda value: TRUTH[str(value).strip().lower()])


def timestamps(values: Any, name: str) -> NDArray[np.float64]:
    """Converts a column of datetimes or ISO 8601 texts to seconds since 1970 in UTC, NaN for null.

    A time without an offset is taken as UTC.

    Raises:
        ContractViolation: Names the first value that is no datetime.
    """
    found = instants(plain_values(values), name)
    return np.where(np.isnat(found), np.nan, found.astype(np.int64) / 1e6)


def instants(values: Any, name: str) -> NDArray[np.datetime64]:
    """Converts a column of datetimes or ISO 8601 texts to microseconds in UTC, NaT for null.

    Raises:
        ContractViolation: Names the first value that is no datetime.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    result = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[us]")
    for row, value in _known(values):
        try:
            result[row] = _instant(value)
        except (TypeError, ValueError, OverflowError, AttributeError):
            raise _violation(name, row, value, "an ISO 8601 datetime") from None
    return result


def plain_values(column: Any) -> Any:
    """Takes pandas' own null out of a series; arrays and lists pass as they are."""
    if not hasattr(column, "to_numpy"):
        return column
    kind = getattr(column.dtype, "kind", "O")
    if isinstance(column.dtype, np.dtype) and kind in "fiubM":
        return column.to_numpy()
    if kind in "fiu":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if kind == "M":  # with a time zone: numpy's datetimes are UTC
        return column.to_numpy(dtype="datetime64[us]")
    return column.to_numpy(dtype=object, na_value=None)


def has_distinct(column: Any) -> bool:
    """Whether a column can be worked on by its distinct values: a series whose values are all of one type."""
    # among objects pandas takes 1, 1.0 and True for the same value, which are three categories
    return hasattr(column, "factorize") and hasattr(column, "dtype") and column.dtype != object


def _instant(value: Any) -> np.datetime64:
    if isinstance(value, np.datetime64):
        return value
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value.strip())
    elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(dt.UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def encoded_seconds(matrix: NDArray[np.float32], place: int) -> NDArray[np.float64]:
    """Returns seconds since 1970 of a datetime column, NaN for null: its days and the seconds of the day.

    Args:
        matrix: Encoded rows, shape (n, features).
        place: Of the column's first feature.
    """
    return matrix[:, place].astype(np.float64) * SECONDS_A_DAY + matrix[:, place + 4]


def _date_parts(instants: NDArray[np.datetime64]) -> list[NDArray[np.float32]]:
    null = np.isnat(instants)
    known = np.where(null, np.datetime64(0, "us"), instants)
    dates = known.astype("datetime64[D]")
    months = known.astype("datetime64[M]")
    days = dates.astype(np.int64)
    parts = (
        days,
        months.astype(np.int64) % 12 + 1,
        (dates - months).astype(np.int64) + 1,
        (days + 3) % 7,
        (known - dates).astype(np.int64) / 1e6,
    )
    return [np.where(null, np.nan, part).astype(np.float32) for part in parts]


def _each(values: Any, name: str, what: str, convert: Callable[[Any], float]) -> NDArray[np.float64]:
    result = np.full(len(values), np.nan)
    for row, value in _known(values):
        try:
            result[row] = convert(value)
        except (TypeError, ValueError, KeyError, OverflowError):
            raise _violation(name, row, value, what) from None
    return result


def _known(values: Any) -> Iterator[tuple[int, Any]]:
    return ((row, value) for row, value in enumerate(values) if not _is_null(value))


def _is_null(value: Any) -> bool:
    """Whether a value is None, NaN, NaT or the NA of pandas, which equals nothing and answers every comparison."""
    if value is None:
        return True
    differs = value != value
    return bool(differs) if isinstance(differs, bool | np.bool_) else differs is value


def _violation(name: str, row: int, value: Any, what: str) -> ContractViolation:
    return ContractViolation([f"column {name!r}, row {row + 1}: {shown_value(value)} is not {what}"])
