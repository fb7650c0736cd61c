"""Encoded rows back to a table: what a model saw, as Arrow columns.

Numbers are those of the matrix, rounded to float32, and of a category that training did not know only that is left.
Encoded again, the table gives the same matrix. Arrays are made of buffers, since pyarrow's own conversions load pandas
where it is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelyard.data.cells import UNKNOWN
from modelyard.data.contract import Column, Contract
from modelyard.data.encoding import UNKNOWN_CODE, encoded_seconds, features_of
from modelyard.utils.types import Label

__all__ = ["chosen", "decode", "equally_long", "labels", "texts", "values"]

Mask = NDArray[np.bool_]
INSTANT = pa.timestamp("us")


def decode(contract: Contract, matrix: NDArray[np.float32]) -> dict[str, pa.Array]:
    """Returns the columns of encoded rows, by name.

    Args:
        contract: What the columns are.
        matrix: Encoded rows, shape (n, features).
    """
    # each step for all columns at once: they are far apart in the rows, and each call may hold up another thread
    matrix = np.asfortranarray(matrix)
    null = np.isnan(matrix)
    has_null = np.logical_or.reduce(null, axis=0).tolist()
    places: dict[str, int] = {}
    for place, feature in enumerate(features_of(contract)):
        places.setdefault(feature.column, place)
    return {
        column.name: _decode(column, matrix, place, null[:, place] if has_null[place] else None)
        for column, place in ((column, places[column.name]) for column in contract.columns)
    }


def values(array: NDArray[Any], kind: pa.DataType, null: Mask | None = None) -> pa.Array:
    """Returns numbers or booleans as a column.

    Args:
        array: They, in the type's own representation.
        kind: The column's type.
        null: Which are null; none: none are.
    """
    content = _bits(array) if array.dtype == np.bool_ else pa.py_buffer(np.ascontiguousarray(array))
    return pa.Array.from_buffers(kind, len(array), [_validity(null), content])


def texts(written: Sequence[str]) -> pa.Array:
    """Returns texts as a column."""
    encoded = [text.encode() for text in written]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    content = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), content)


def equally_long(content: bytes, null: Mask) -> pa.Array:
    """Returns texts of one length as a column.

    Args:
        content: One after the other, in ASCII.
        null: Where there is none.
    """
    given = np.cumsum(~null, dtype=np.int32)
    width = len(content) // given[-1] if content else 0
    ends = np.concatenate([np.zeros(1, dtype=np.int32), given * np.int32(width)])
    return pa.Array.from_buffers(pa.string(), len(null), [_validity(null), pa.py_buffer(ends), pa.py_buffer(content)])


def labels(classes: Sequence[Label]) -> pa.Array:
    """Returns the labels of classes as a column, texts where they are of several types."""
    if all(isinstance(label, bool) for label in classes):
        return values(np.array(classes), pa.bool_())
    if all(isinstance(label, int) for label in classes):
        return values(np.array(classes, dtype=np.int64), pa.int64())
    if all(isinstance(label, float) for label in classes):
        return values(np.array(classes, dtype=np.float64), pa.float64())
    return texts(list(map(str, classes)))


def chosen(codes: NDArray[np.int32], names: pa.Array, null: Mask | None = None) -> pa.Array:
    """Returns a column of names by their places among all of them."""
    return pa.DictionaryArray.from_arrays(values(codes, pa.int32(), null), names)


def _decode(column: Column, matrix: NDArray[np.float32], place: int, null: Mask | None) -> pa.Array:
    found = matrix[:, place]
    if column.kind == "categorical":
        # the first code is null's, the second that of what is not known
        codes = found.astype(np.int32) - UNKNOWN_CODE
        return chosen(codes.clip(0), texts([UNKNOWN, *column.vocabulary]), codes < 0)
    if column.kind == "boolean":
        return values(found == 1, pa.bool_(), null)
    if column.kind == "datetime":
        microseconds = np.nan_to_num(encoded_seconds(matrix, place) * 1e6).round().astype(np.int64)
        return values(microseconds, INSTANT, null)
    return values(found, pa.float32(), null)


def _validity(null: Mask | None) -> pa.Buffer | None:
    return _bits(~null) if null is not None and null.any() else None


def _bits(flags: Mask) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))
