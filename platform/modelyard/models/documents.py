"""What is known of a model, as typed JSON files."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from modelyard.errors import ModelError

__all__ = ["Document"]


class Document(BaseModel):
    """A JSON file beside a model.

    Attributes:
        title: What an error calls it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: ClassVar[str]

    def to_json(self) -> str:
        """Returns the document for its file."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            ModelError: The text is no such document; names the first wrong place.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            raise ModelError(f"the {cls.title} is not valid: {where}: {first['msg']}") from None
