"""Arrow columns as values that `Encoder` takes, without a Python object for each of them.

Nothing here needs pandas, which pyarrow's own conversions load where it is installed: buffers are read in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelyard.data.contract import Column
from modelyard.data.encoding import booleans, category_text, instants
from modelyard.data.rows import takes_numbers
from modelyard.errors import ContractViolation

__all__ = ["Distinct", "encodable", "takes"]

Array = NDArray[Any]
Mask = NDArray[np.bool_]
# what an ISO 8601 text can say, too
FIRST_DAY, LAST_DAY = np.datetime64("0001-01-01", "D"), np.datetime64("9999-12-31", "D")
_NULLS = {"numeric": pa.float64(), "boolean": pa.float64(), "datetime": pa.timestamp("us"), "categorical": pa.string()}


class Distinct:
    """A column by its distinct values: what `Encoder` needs of a pandas series to encode categories.

    Args:
        places: Place of each row's value among the distinct ones, -1 for null; shape (n,).
        distinct: The values.
    """

    dtype = "category"

    def __init__(self, places: Array, distinct: list[Any]) -> None:
        self.places, self.distinct = places, distinct

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice) -> Distinct:
        return Distinct(self.places[rows], self.distinct)

    def factorize(self) -> tuple[Array, list[Any]]:
        """Returns places and distinct values, as a pandas series does."""
        return self.places, self.distinct

    def spread(self, by_distinct: Array, null: Any) -> Array:
        """Gives each row what its distinct value has, and nulls `null`."""
        return np.append(by_distinct, null).take(self.places, mode="wrap")


def takes(column: Column, kind: pa.DataType) -> bool:
    """Whether a column of the contract may come in this Arrow type; one without any value may come in any column."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_null(plain):
        return True
    if pa.types.is_float16(plain) and plain != kind:
        return False  # pyarrow mixes up the values of several such dictionaries
    number = pa.types.is_integer(plain) or pa.types.is_floating(plain) or pa.types.is_decimal(plain)
    if column.kind == "numeric":
        return bool(number)
    if _is_text(plain):
        return True
    if column.kind == "datetime":
        return bool(pa.types.is_timestamp(plain) or pa.types.is_date(plain))
    if column.kind == "boolean":
        return bool(number or pa.types.is_boolean(plain))
    return bool(number and takes_numbers(column))


def encodable(array: pa.Array, column: Column) -> tuple[Any, Mask]:
    """Converts one column.

    Args:
        array: Its values, valid (``array.validate(full=True)``) and of a type that `takes` takes.
        column: What they should be.

    Returns:
        Values for `Encoder`, n of them, that can be sliced; and of each, shape (n,), whether it stands for nothing in
        such a column, as a date in words does.
    """
    if pa.types.is_dictionary(array.type) and not _is_text(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type) or pa.types.is_decimal(array.type):
        array = array.cast(_NULLS[column.kind] if pa.types.is_null(array.type) else pa.float64())
    if column.kind == "categorical":
        return _distinct(array), np.zeros(len(array), dtype=np.bool_)
    if _is_text(array.type):
        return _read_texts(_distinct(array), booleans if column.kind == "boolean" else instants)
    if column.kind == "datetime":
        return _instants(array)
    values = _numbers(array)
    if column.kind == "boolean":
        return values, ~((values == 0) | (values == 1) | np.isnan(values))
    return values, np.zeros(len(array), dtype=np.bool_)


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    plain = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain))


def _distinct(array: pa.Array) -> Distinct:
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    # signed, whatever the stream has, for the place of a null
    places = _fixed(array.indices, np.dtype(array.type.index_type.to_pandas_dtype())).astype(np.int64)
    if array.null_count:
        places[~_known(array)] = -1
    values = array.dictionary.to_pylist()
    nulls = [place for place, value in enumerate(values) if category_text(value) is None]
    if nulls:
        places[np.isin(places, nulls)] = -1
    return Distinct(places, values)


def _read_texts(texts: Distinct, read: Callable[[Any, str], Array]) -> tuple[Array, Mask]:
    try:
        by_distinct, wrong = read(texts.distinct, ""), np.zeros(len(texts.distinct), dtype=np.bool_)
    except ContractViolation:
        by_distinct, wrong = _read_each(texts.distinct, read)
    null = np.array(None if by_distinct.dtype.kind == "M" else np.nan, dtype=by_distinct.dtype)
    return texts.spread(by_distinct, null), texts.spread(wrong, False)


def _read_each(texts: list[Any], read: Callable[[Any, str], Array]) -> tuple[Array, Mask]:
    parts, wrong = [], np.zeros(len(texts), dtype=np.bool_)
    for place, text in enumerate(texts):
        try:
            parts.append(read([text], ""))
        except ContractViolation:
            parts.append(read([None], ""))
            wrong[place] = True
    return np.concatenate(parts), wrong


def _instants(array: pa.Array) -> tuple[Array, Mask]:
    if pa.types.is_date32(array.type):
        values, unit = _fixed(array, np.dtype(np.int32)).astype(np.int64), "D"
    else:
        values, unit = _fixed(array, np.dtype(np.int64)), getattr(array.type, "unit", "ms")
    # with a time zone, too, what is kept is UTC
    result = values.view(f"datetime64[{unit}]")
    if array.null_count:
        result = np.where(_known(array), result, np.datetime64("NaT"))
    days = result.astype("datetime64[D]")
    return result, (days < FIRST_DAY) | (days > LAST_DAY)


def _numbers(array: pa.Array) -> Array:
    if pa.types.is_boolean(array.type):
        values = _bits(array.buffers()[1], array)
    else:
        values = _fixed(array, np.dtype(array.type.to_pandas_dtype()))
    return np.where(_known(array), values, np.nan) if array.null_count else values


def _fixed(array: pa.Array, dtype: np.dtype[Any]) -> Array:
    """The values as they lie in memory; where they are null, anything."""
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def _known(array: pa.Array) -> Mask:
    return _bits(array.buffers()[0], array).view(np.bool_)


def _bits(buffer: pa.Buffer, array: pa.Array) -> NDArray[np.uint8]:
    end = array.offset + len(array)
    return np.unpackbits(np.frombuffer(buffer, np.uint8), count=end, bitorder="little")[array.offset :]
