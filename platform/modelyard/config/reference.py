"""The table of all settings, as conf/README.md shows it.

    python -m modelyard.config.reference conf/README.md

writes it anew between the file's two marks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from modelyard.config.schema import Key, dotted, fields, group_at

__all__ = ["document", "settings_tables"]

BEGIN, END = "<!-- settings: begin -->", "<!-- settings: end -->"
RELATIONS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def settings_tables() -> str:
    """Returns one Markdown table for each group of settings: key, values, default, meaning."""
    lines: list[str] = []
    group: Key | None = None
    for key, field in fields():
        if key[:-1] != group:
            group = key[:-1]
            about = (group_at(group) or FieldInfo).__doc__ or ""
            title = f"`{dotted(group)}`: {about[:1].lower()}{about[1:]}" if group else "At the top"
            lines += ["", f"### {title.rstrip('.')}", "", "| key | values | default | meaning |", "|---|---|---|---|"]
        cells = (f"`{dotted(key)}`", _values(field), _default(field), field.description or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines).strip() + "\n"


def document(text: str) -> str:
    """Returns a document with the tables of today between its marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{settings_tables()}{END}{rest.split(END)[1]}"


def _values(field: FieldInfo) -> str:
    limits = [
        f"{word} {getattr(constraint, name):,}"
        for constraint in field.metadata
        for name, word in RELATIONS.items()
        if getattr(constraint, name, None) is not None
    ]
    return ", ".join([_type(field.annotation), *limits])


def _type(annotation: Any) -> str:
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(members[0])
    if origin is Literal:
        return ", ".join(f"`{member}`" for member in members)
    if origin is list:
        return f"list of {_type(members[0])}"
    if origin is dict:
        return f"mapping of {_type(members[0])} to {_type(members[1])}"
    if origin is Union or len(members) > 1:
        return ", ".join(dict.fromkeys(_type(member) for member in members if member is not type(None)))
    return {str: "text", int: "whole number", float: "number", bool: "`true`, `false`"}.get(annotation, "anything")


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    return "" if default is PydanticUndefined else f"`{json.dumps(default, ensure_ascii=False)}`"


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    readme.write_text(document(readme.read_text(encoding="utf-8")), encoding="utf-8")
