"""The contract: what a table's columns are, made once from the training table and carried to every later step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from modelyard.errors import DataError
from modelyard.utils.documents import parse_json
from modelyard.utils.types import Kind, Label, Task, Treatment

__all__ = ["Column", "Contract", "Target"]

Tuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Column(_Frozen):
    """One input column.

    Attributes:
        name: As in the training table.
        kind: What its values are; decides the encoding.
        nullable: Whether the training table has nulls here.
        integer: For numeric columns, whether every value is whole.
        minimum: Smallest training value; seconds since 1970 (UTC) for datetimes.
        maximum: Largest training value, same unit.
        vocabulary: Categories, the most frequent first; rarer ones past the cap are left out and count as unknown.
        bins: Inner edges of the quantile bins of a numeric or datetime column, ascending, at most nine; an edge
            belongs to the bin above it. Edges and values are rounded to float32 before they are compared.
        shares: Share of the training rows in each bin: [null, then per bin] for numeric and datetime
            columns, [null, unknown, then per category] for categorical ones, [null, false, true] for booleans.
        on_null: What a service does with a null where the training table had none.
        on_unknown: What it does with a category outside the vocabulary.
        on_range: What it does with a value outside [minimum, maximum].
    """

    name: str
    kind: Kind
    nullable: bool = False
    integer: bool = False
    minimum: float | None = None
    maximum: float | None = None
    vocabulary: Annotated[tuple[str, ...], Tuple] = ()
    bins: Annotated[tuple[float, ...], Tuple] = ()
    shares: Annotated[tuple[float, ...], Tuple] = ()
    on_null: Treatment = "accept"
    on_unknown: Treatment = "accept"
    on_range: Treatment = "accept"


class Target(_Frozen):
    """What is predicted.

    Attributes:
        name: The target's column.
        task: What kind of prediction.
        classes: Labels as in the training table. Binary: (negative, positive). Empty for regression.
        minimum: Smallest training value of a regression target.
        maximum: Largest one.
        bins: Inner edges of its quantile bins, as a column's: what a service counts its predictions by. Not rounded
            where a model answers in float64 (see `modelyard.data.scale.TargetScale`).
    """

    name: str
    task: Task
    classes: Annotated[tuple[Label, ...], Tuple] = ()
    minimum: float | None = None
    maximum: float | None = None
    bins: Annotated[tuple[float, ...], Tuple] = ()


class Contract(_Frozen):
    """The columns, the target, and what was set aside and why.

    Attributes:
        format: Version of this description.
        columns: The inputs, in the table's order.
        target: What is predicted.
        set_aside: Reason by column that the model does not see (identifiers, constants, ``data.drop``).
        example: A real row of the training table: value by input column, JSON types.
    """

    format: Literal[1] = 1
    columns: Annotated[tuple[Column, ...], Tuple]
    target: Target
    set_aside: dict[str, str] = Field(default_factory=dict)
    example: dict[str, str | bool | int | float | None] = Field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the input columns."""
        return tuple(column.name for column in self.columns)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON: the same contract always has the same digest."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def to_json(self) -> str:
        """Returns the contract as indented JSON, for a file that a person may edit."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Contract:
        """Reads what `to_json` wrote.

        Raises:
            DataError: The text is no contract; names the first wrong place.
        """
        try:
            document: Mapping[str, Any] = parse_json(text)
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise DataError(f"the contract is not valid: {where}: {first['msg']}") from None
        except (ValueError, UnicodeDecodeError) as error:
            raise DataError(f"the contract is not JSON: {error}") from None
