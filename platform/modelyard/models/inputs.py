"""Rows in every form that a caller may have them in, to the encoded matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.row_checks import listed_names, surplus_hint
from modelyard.errors import ContractViolation
from modelyard.utils.sentences import shown_value

__all__ = ["encode_rows", "is_series"]


def encode_rows(encoder: Encoder, rows: Any) -> NDArray[np.float32]:
    """Encodes one row or many, in any of the forms that `Model` takes.

    Raises:
        ContractViolation: The rows do not fit the contract; names row, column or key.
    """
    if is_series(rows):
        rows = rows.to_frame().T
    if hasattr(rows, "columns"):
        _check_names(encoder.contract, rows.columns)
        return encoder.encode(rows)
    if isinstance(rows, Mapping):
        if not any(_is_column(values) for values in rows.values()):
            return encoder.encode_rows([rows])
        _check_columns(encoder.contract, rows)
        return encoder.encode(rows)
    if not isinstance(rows, Sequence | np.ndarray) or isinstance(rows, str | bytes):
        raise ContractViolation([f"{shown_value(rows)} is not a table: pass a frame, a mapping or a sequence of rows"])
    if len(rows) and isinstance(rows[0], Mapping):
        return encoder.encode_rows(list(rows))
    table = _table(rows, encoder.contract)
    return encoder.encode({name: table[:, place] for place, name in enumerate(encoder.contract.names)})


def is_series(rows: Any) -> bool:
    """Whether the rows are a pandas series, which is one row of a frame; does not import pandas."""
    return hasattr(rows, "to_frame") and not hasattr(rows, "columns")


def _is_column(values: Any) -> bool:
    # a zero-dimensional array has the method, and no length
    sized = hasattr(values, "__len__") and getattr(values, "ndim", 1) > 0
    return sized and not isinstance(values, str | bytes | Mapping | Set)


def _check_names(contract: Contract, names: Iterable[Any]) -> None:
    twice = {name for name, count in Counter(names).items() if count > 1}
    double = [f"column {name!r} occurs twice" for name in contract.names if name in twice]
    if double:
        raise ContractViolation(double)


def _check_columns(contract: Contract, columns: Mapping[str, Any]) -> None:
    lengths: dict[str, int] = {}
    for name in contract.names:
        if name not in columns:
            continue  # the encoder names every column that is missing
        if not _is_column(columns[name]):
            raise ContractViolation([f"column {name!r} is {shown_value(columns[name])} where a sequence is expected"])
        lengths[name] = len(columns[name])
        first, expected = next(iter(lengths.items()))
        if lengths[name] != expected:
            raise ContractViolation([f"column {name!r} has {lengths[name]} values and {first!r} has {expected}"])


def _table(rows: Sequence[Any] | NDArray[Any], contract: Contract) -> NDArray[Any]:
    """Returns rows of values as an array of objects, so that each value keeps its type; arrays of the width pass."""
    width = len(contract.names)
    if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == width:
        return rows
    table = np.empty((len(rows), width), dtype=object)
    for number, row in enumerate(rows):
        if isinstance(row, str) or not hasattr(row, "__len__"):
            found = f"row {number + 1} is {shown_value(row)} where a sequence of {width} values is expected"
            raise ContractViolation([found])
        if len(row) != width:
            hint = surplus_hint(contract, len(row))
            found = f"row {number + 1} has {len(row)} values where {width} are expected"
            raise ContractViolation([f"{found} ({listed_names(contract.names)})" + (f"; {hint}" if hint else "")])
        table[number] = list(row)
    return table
