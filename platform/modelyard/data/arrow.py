"""Arrow columns as values that `Encoder` takes, without a Python object for each of them.

Nothing here needs pandas, which pyarrow's own conversions load where it is installed: buffers are read in place.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
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

    @classmethod
    def concatenate(cls, parts: list[Distinct]) -> Distinct:
        """Returns one column from consecutive parts; a value of several parts is there several times."""
        if len(parts) == 1:
            return parts[0]
        starts = accumulate((len(part.distinct) for part in parts), initial=0)
        places = [
            np.where(part.places >= 0, part.places + start, -1) for part, start in zip(parts, starts, strict=False)
        ]
        return cls(np.concatenate(places), [value for part in parts for value in part.distinct])

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


def encodable(array: pa.Array | pa.ChunkedArray, column: Column) -> tuple[Any, Mask]:
    """Converts one column.

    Args:
        array: Its values, valid (``array.validate(full=True)``) and of a type that `takes` takes. Chunks may have
            dictionaries of their own.
        column: What they should be.

    Returns:
        Values for `Encoder`, n of them, that can be sliced; and of each, shape (n,), whether it stands for nothing in
        such a column, as a date in words does.
    """
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    if pa.types.is_dictionary(array.type) and _is_text(array.type):
        # together they can have more values than the type of their indices can count
        return _read(Distinct.concatenate([_distinct(chunk) for chunk in chunks]), column)
    if pa.types.is_dictionary(array.type):
        chunks = [chunk.dictionary_decode() for chunk in chunks]
    array = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
    if pa.types.is_null(array.type) or pa.types.is_decimal(array.type):
        array = array.cast(_NULLS[column.kind] if pa.types.is_null(array.type) else pa.float64())
    if column.kind == "categorical" or _is_text(array.type):
        return _read(_distinct(array.dictionary_encode()), column)
    if column.kind == "datetime":
        return _instants(array)
    values = _numbers(array)
    if column.kind == "boolean":
        return values, ~((values == 0) | (values == 1) | np.isnan(values))
    return values, np.zeros(len(array), dtype=np.bool_)


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    plain = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(plain) or types.is_large_string(plain))


def _distinct(array: pa.DictionaryArray) -> Distinct:
    # signed, whatever the stream has, for the place of a null
    places = _fixed(array.indices, np.dtype(array.type.index_type.to_pandas_dtype())).astype(np.int64)
    if array.null_count:
        places[~_known(array)] = -1
    # a dictionary may have millions of values, of which the rows use a few
    used = np.unique(places[places >= 0])
    places = np.where(places >= 0, np.searchsorted(used, places), -1)
    values = array.dictionary.take(pa.Array.from_buffers(pa.int64(), len(used), [None, pa.py_buffer(used)])).to_pylist()
    nulls = [place for place, value in enumerate(values) if category_text(value) is None]
    if nulls:
        places[np.isin(places, nulls)] = -1
    return Distinct(places, values)


def _read(texts: Distinct, column: Column) -> tuple[Distinct | Array, Mask]:
    """Reads the values of a column from its distinct values; categories stay as they are."""
    if column.kind == "categorical":
        return texts, np.zeros(len(texts), dtype=np.bool_)
    read = booleans if column.kind == "boolean" else instants
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
