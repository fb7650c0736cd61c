"""A contract as msgspec types, so that a request is decoded and checked in C.

There are two types for one contract. The narrow one takes only rows that stay within the contract, so that
nothing is left to check or to count; nearly every request is one. The wide one takes what the contract accepts
besides: nulls where training had none, unknown categories, values out of range. What neither takes goes to
`Decoder`, which accepts a few more spellings and explains what is wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from modelyard.data.contract import Column, Contract
from modelyard.data.rows import category_codes

__all__ = ["request_type"]

LARGEST_INTEGER = 2**63 - 1


def request_type(contract: Contract, max_rows: int, *, narrow: bool) -> type[msgspec.Struct]:
    """Returns the type of a request, with the attributes ``rows`` and ``timing``.

    A row is a Struct with a field for each column, or a tuple of values, both in the contract's order.

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
    row = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)
    either: Any = row | tuple[tuple(types)]  # type: ignore[misc]
    rows: Any = Annotated[list[either], msgspec.Meta(min_length=1, max_length=max_rows)]
    order: Any = tuple[tuple(Literal[name] for name in contract.names)]  # type: ignore[misc]
    members: list[Any] = [("rows", rows), ("columns", order | None, None), ("timing", bool, False)]
    return msgspec.defstruct("Request", members, forbid_unknown_fields=True, gc=False)


def _narrow(column: Column) -> Any:
    annotation = {"numeric": _number, "categorical": _known, "boolean": _boolean, "datetime": _text}[column.kind](
        column
    )
    return annotation | None if column.nullable else annotation


def _wide(column: Column) -> Any:
    annotation: Any
    if column.kind == "numeric":
        annotation = _within(float, column) if column.on_range == "refuse" else float
    elif column.kind == "categorical" and column.on_unknown == "accept":
        annotation = str | int | float if len(category_codes(column)) > len(column.vocabulary) + 1 else str
    else:
        annotation = _known(column) if column.kind == "categorical" else _text(column)
        annotation = bool | int if column.kind == "boolean" else annotation
    return annotation | None if column.nullable or column.on_null == "accept" else annotation


def _number(column: Column) -> Any:
    return _within(int if column.integer else float, column)


def _within(kind: type, column: Column) -> Any:
    if column.minimum is None or column.maximum is None:
        return kind
    low, high = column.minimum, column.maximum
    if kind is int:
        if max(abs(low), abs(high)) > LARGEST_INTEGER:
            return kind
        low, high = int(low), int(high)
    return Annotated[kind, msgspec.Meta(ge=low, le=high)]


def _known(column: Column) -> Any:
    """The categories, and the numbers that stand for them; a float is no literal."""
    codes = category_codes(column)
    literals: list[str | int] = [key for key in codes if isinstance(key, str)]
    literals += [int(key) for key in codes if isinstance(key, float) and key.is_integer() and abs(key) < 2**53]
    return Literal[tuple(literals)] if literals else str


def _boolean(_: Column) -> Any:
    return bool


def _text(_: Column) -> Any:
    return str
