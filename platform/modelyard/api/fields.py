"""What each column of a contract takes in a request: the type of its field, and the same in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic.fields import FieldInfo

from modelyard.data.contract import Column
from modelyard.data.encoding import booleans, category_text, timestamps
from modelyard.data.rows import takes_numbers
from modelyard.errors import ContractViolation

__all__ = ["ColumnField", "column_field"]

JsonSchema = dict[str, Any]
Check = Callable[[Any], Any]
SHOWN = 5


@dataclass(frozen=True)
class ColumnField:
    """One column of a request.

    Attributes:
        annotation: The field's type.
        info: Its alias, default and description.
        expected: What belongs there, in words.
    """

    annotation: Any
    info: FieldInfo
    expected: str


@dataclass(frozen=True)
class _Form:
    """What values of one column look like: the type, the same in words, a remark, the JSON schema."""

    annotation: Any
    expected: str
    remark: str
    schema: JsonSchema


def column_field(column: Column) -> ColumnField:
    """Returns the field of a column; the contract decides about nulls, unknown categories and ranges."""
    form = _FORMS[column.kind](column)
    annotation: Any = Annotated[form.annotation, WithJsonSchema(form.schema)]
    expected = form.expected
    if column.nullable or column.on_null == "accept":
        annotation, expected = annotation | None, f"{expected} or null"
    # null is a statement, leaving a column out is a slip unless nulls are usual there
    default: Any = None if column.nullable else ...
    description = f"{expected[:1].upper()}{expected[1:]}" + (f"; {form.remark}." if form.remark else ".")
    return ColumnField(annotation, Field(default, alias=column.name, description=description), expected)


def _number(column: Column) -> _Form:
    expected = "a whole number" if column.integer else "a number"
    schema: JsonSchema = {"type": "integer" if column.integer else "number"}
    annotation: Any = Annotated[float, Field(strict=True, allow_inf_nan=False)]
    if column.integer:
        annotation = Annotated[annotation, AfterValidator(_whole)]
    limits = _limits(column)
    if limits is None:
        return _Form(annotation, expected, "", schema)
    low, high = limits
    if column.on_range == "refuse":
        schema |= {"minimum": low, "maximum": high}
        return _Form(
            Annotated[annotation, AfterValidator(_within(low, high))],
            f"{expected} from {low:.6g} to {high:.6g}",
            "",
            schema,
        )
    return _Form(annotation, expected, f"from {low:.6g} to {high:.6g} in training", schema)


def _category(column: Column) -> _Form:
    numeric = takes_numbers(column)
    expected = "a text or a number" if numeric else "a text"
    schema: JsonSchema = {"type": ["string", "number"] if numeric else "string"}
    annotation: Any = Annotated[str, Field(strict=True)]
    if numeric:
        annotation = Annotated[annotation, BeforeValidator(_text_of_number)]
    shown = ", ".join(repr(category) for category in column.vocabulary[:SHOWN])
    more = f" and {len(column.vocabulary) - SHOWN} more" if len(column.vocabulary) > SHOWN else ""
    if column.on_unknown == "refuse":
        if not numeric:
            schema["enum"] = list(column.vocabulary)
        known = Annotated[annotation, AfterValidator(_one_of(frozenset(column.vocabulary)))]
        return _Form(known, f"one of {shown}{more}", "", schema)
    schema["examples"] = list(column.vocabulary[:SHOWN])
    return _Form(annotation, expected, f"known are {shown}{more}, others count as unknown", schema)


def _boolean(_: Column) -> _Form:
    remark = "0, 1 and the texts true and false are taken too"
    return _Form(Annotated[Any, BeforeValidator(_truth)], "true or false", remark, {"type": "boolean"})


def _datetime(column: Column) -> _Form:
    annotation: Any = Annotated[str, Field(strict=True), AfterValidator(_instant)]
    expected, remark = "an ISO 8601 date or time", "UTC where it has no offset"
    limits = _limits(column)
    if limits is not None:
        first, last = (dt.datetime.fromtimestamp(limit, dt.UTC).isoformat() for limit in limits)
        if column.on_range == "refuse":
            annotation = Annotated[annotation, AfterValidator(_within(*limits, of=_seconds))]
            expected += f" from {first} to {last}"
        else:
            remark += f", from {first} to {last} in training"
    return _Form(annotation, expected, remark, {"type": "string", "examples": ["2024-05-17T08:30:00Z", "2024-05-17"]})


_FORMS: dict[str, Callable[[Column], _Form]] = {
    "numeric": _number,
    "categorical": _category,
    "boolean": _boolean,
    "datetime": _datetime,
}


def _limits(column: Column) -> tuple[float, float] | None:
    return None if column.minimum is None or column.maximum is None else (column.minimum, column.maximum)


def _whole(value: float) -> float:
    if not value.is_integer():
        raise ValueError
    return value


def _within(low: float, high: float, of: Callable[[Any], float] = float) -> Check:
    def check(value: Any) -> Any:
        if not low <= of(value) <= high:
            raise ValueError
        return value

    return check


def _one_of(vocabulary: frozenset[str]) -> Check:
    def check(value: str) -> str:
        if value not in vocabulary:
            raise ValueError
        return value

    return check


def _text_of_number(value: Any) -> Any:
    return category_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _truth(value: Any) -> Any:
    # the encoding takes both for a null: whether there may be one is the field's to say, and NaN is no JSON
    if value is None or value != value:
        raise ValueError
    try:
        booleans([value], "")
    except ContractViolation:
        raise ValueError from None
    return value


def _instant(value: str) -> str:
    try:
        timestamps([value], "")
    except ContractViolation:
        raise ValueError from None
    return value


def _seconds(value: str) -> float:
    return float(timestamps([value], "")[0])
