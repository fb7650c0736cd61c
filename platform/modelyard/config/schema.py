"""Questions about the settings' types: what a key is, and what a wrong key may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from modelyard.config.models import Settings
from modelyard.errors import nearest

__all__ = ["Key", "dotted", "field_at", "fields", "group_at", "is_text", "is_text_list", "nearest_key", "nullable"]

Key = tuple[str, ...]


def dotted(key: tuple[str | int, ...]) -> str:
    """Writes a key as people do: ``data.columns[3]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def group_at(key: Key) -> type[BaseModel] | None:
    """Returns the group of settings at a key, the root for the empty one, or None."""
    group: type[BaseModel] = Settings
    for part in key:
        field = group.model_fields.get(part)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return None
        group = annotation
    return group


def field_at(key: Key) -> FieldInfo | None:
    """Returns the setting at a key, or None where there is no such setting."""
    group = group_at(key[:-1]) if key else None
    return group.model_fields.get(key[-1]) if group else None


def fields(group: type[BaseModel] = Settings, prefix: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yields every setting with its key, in the order of the classes."""
    for name, field in group.model_fields.items():
        key = (*prefix, name)
        inner = group_at(key)
        if inner is None:
            yield key, field
        else:
            yield from fields(inner, key)


def nullable(key: Key) -> bool:
    """Whether the setting may be null."""
    return NoneType in _types(_annotation(key))


def is_text(key: Key) -> bool:
    """Whether the setting holds a text, whatever it looks like: 1, true and 2024-01-01 may be column names."""
    return _all_text(_annotation(key))


def is_text_list(key: Key) -> bool:
    """Whether the setting holds a list of texts."""
    types = [member for member in _types(_annotation(key)) if member is not NoneType]
    return len(types) == 1 and get_origin(types[0]) is list and _all_text(get_args(types[0])[0])


def nearest_key(key: Key) -> str:
    """Returns a hint for a key that is no setting: close names beside it, else the same name elsewhere."""
    siblings = _names(key[:-1])
    if not difflib.get_close_matches(key[-1], siblings):
        elsewhere = {known[-1]: dotted(known) for known, _ in reversed(list(fields()))}
        match = difflib.get_close_matches(key[-1], elsewhere, n=1, cutoff=0.8)
        if match:
            return f"did you mean {elsewhere[match[0]]!r}?"
    return nearest(key[-1], siblings)


def _names(prefix: Key) -> list[str]:
    group = group_at(prefix)
    return list(group.model_fields) if group else []


def _annotation(key: Key) -> Any:
    field = field_at(key)
    return field.annotation if field else None


def _all_text(annotation: Any) -> bool:
    types = [member for member in _types(annotation) if member is not NoneType]
    return bool(types) and all(
        member is str or (get_origin(member) is Literal and all(isinstance(value, str) for value in get_args(member)))
        for member in types
    )


def _types(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Annotated:
        return _types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [inner for member in get_args(annotation) for inner in _types(member)]
    return [annotation]
