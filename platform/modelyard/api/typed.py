"""A contract as msgspec types, so that a request is decoded and checked in C.

There are two types for one contract. The narrow one takes only rows that stay within the contract, so that
nothing is left to check or to count; nearly every request is one. The wide one takes what the contract accepts
besides: nulls where training had none, unknown categories, values out of range. What neither takes goes to
`Decoder`, which accepts a few more spellings and explains what is wrong.
"""

from __future__ import annotations

import re
from math import ceil, floor
from typing import Annotated, Any, Literal

import msgspec

from modelyard.data.contract import Column, Contract
from modelyard.data.rows import category_codes, takes_numbers

__all__ = ["nameable", "request_type"]

LARGEST_INTEGER = 2**63 - 1
NOTHING = r"(?!)"
UNNAMEABLE = re.compile(r'[\x00-\x1f"\\]')


def request_type(contract: Contract, max_rows: int, *, narrow: bool) -> type[msgspec.Struct]:
    """Returns the type of a request, with the attributes ``rows`` and ``timing``.

    A row is a Struct with a field for each column, or a tuple of values, both in the contract's order. There is no
    Struct where msgspec cannot name a field as a column is.

    Args:
        contract: What the rows are.
        max_rows: Most rows in one request.
        narrow: Whether only rows within the contract are taken.
    """
    value = _narrow if narrow else _wide
    types = [value(column) for column in contract.columns]
    fields: list[Any] = []
    for number, (column, annotation) in enumerate(zip(contract.columns, types, strict=True)):
        # null is a statement, leaving a column out is a slip unless nulls are usual there
        field = (f"column_{number}", annotation)
        fields.append((*field, None) if column.nullable else field)
    names = {f"column_{number}": column.name for number, column in enumerate(contract.columns)}
    either: Any = tuple[tuple(types)]  # type: ignore[misc]
    if all(map(nameable, contract.names)):
        either |= msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)
    rows: Any = Annotated[list[either], msgspec.Meta(min_length=1, max_length=max_rows)]
    order: Any = tuple[tuple(Literal[name] for name in contract.names)]  # type: ignore[misc]
    members: list[Any] = [("rows", rows), ("columns", order | None, None), ("timing", bool, False)]
    return msgspec.defstruct("Request", members, forbid_unknown_fields=True, gc=False)


def nameable(name: str) -> bool:
    """Whether msgspec can give a field this name."""
    return UNNAMEABLE.search(name) is None


def _narrow(column: Column) -> Any:
    annotation: Any
    if column.kind == "numeric":
        annotation = _within(int if column.integer else float, column)
    elif column.kind == "categorical":
        annotation = _known(column)
    else:
        annotation = bool if column.kind == "boolean" else str
    return annotation | None if column.nullable else annotation


def _wide(column: Column) -> Any:
    annotation: Any
    if column.kind == "numeric":
        annotation = _within(float, column) if column.on_range == "refuse" else float
    elif column.kind == "categorical":
        annotation = str | int | float if takes_numbers(column) else str
    else:
        annotation = bool | int if column.kind == "boolean" else str
    return annotation | None if column.nullable or column.on_null == "accept" else annotation


def _within(kind: type, column: Column) -> Any:
    if column.minimum is None or column.maximum is None:
        return kind
    low, high = column.minimum, column.maximum
    if kind is int:
        # msgspec compares within 64 bits; what is beyond is for the wide type
        low, high = max(ceil(low), -LARGEST_INTEGER), min(floor(high), LARGEST_INTEGER)
    return Annotated[kind, msgspec.Meta(ge=low, le=high)]


def _known(column: Column) -> Any:
    """The categories, and the numbers that stand for them; a float is no literal."""
    codes = category_codes(column)
    literals = [key for key in codes if isinstance(key, str) or (isinstance(key, int) and abs(key) <= LARGEST_INTEGER)]
    return Literal[tuple(literals)] if literals else Annotated[str, msgspec.Meta(pattern=NOTHING)]
