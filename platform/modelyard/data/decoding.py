"""Encoded rows back to a table: what a model saw, as Arrow columns.

Numbers are those of the matrix, rounded to float32, and of a category that training did not know only that is left.
Encoded again, the table gives the same matrix.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelyard.data.cells import UNKNOWN
from modelyard.data.contract import Column, Contract
from modelyard.data.encoding import FIRST_CODE, UNKNOWN_CODE, encoded_seconds, features_of

__all__ = ["decode"]


def decode(contract: Contract, matrix: NDArray[np.float32]) -> dict[str, pa.Array]:
    """Returns the columns of encoded rows, by name.

    Args:
        contract: What the columns are.
        matrix: Encoded rows, shape (n, features).
    """
    places: dict[str, int] = {}
    for place, feature in enumerate(features_of(contract)):
        places.setdefault(feature.column, place)
    return {column.name: _decode(column, matrix, places[column.name]) for column in contract.columns}


def _decode(column: Column, matrix: NDArray[np.float32], place: int) -> pa.Array:
    values = matrix[:, place]
    null = np.isnan(values)
    if column.kind == "categorical":
        codes = values.astype(np.int32) - UNKNOWN_CODE
        names = pa.array([UNKNOWN, *column.vocabulary], pa.string())
        assert FIRST_CODE == UNKNOWN_CODE + 1
        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), names)
    if column.kind == "boolean":
        return pa.array(values == 1, mask=null)
    if column.kind == "datetime":
        microseconds = np.where(null, 0, encoded_seconds(matrix, place) * 1e6).round().astype(np.int64)
        return pa.array(microseconds, mask=null).cast(pa.timestamp("us"))
    return pa.array(values, mask=null)
