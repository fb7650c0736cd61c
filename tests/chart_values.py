"""What a chart says of its values: in the comments of values.yaml and in values.schema.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["comments", "descriptions", "keys", "merged", "objects"]


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Values over others, as Helm merges them."""
    inner = {key: merged(base[key], value) for key, value in over.items() if isinstance(base.get(key), dict) and value}
    return {**base, **over, **inner}


def objects(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a schema that is no mapping of free names, with its path."""
    if "properties" in schema:
        yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from objects(inner, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from objects(schema["items"], f"{path}[]")


def descriptions(schema: dict[str, Any]) -> dict[str, str]:
    """What a schema says of each value, by its path."""
    found = objects(schema)
    return {
        f"{path}.{name}".lstrip("."): it["description"] for path, at in found for name, it in at["properties"].items()
    }


def comments(text: str) -> dict[str, str]:
    """The first paragraph of the comment above each key of a values.yaml, by its path."""
    found: dict[str, str] = {}
    path: list[str] = []
    paragraphs = [""]
    for line in text.splitlines():
        if comment := re.fullmatch(r" *# ?(.*)", line):
            paragraphs = [*paragraphs, ""] if not comment[1] else [*paragraphs[:-1], f"{paragraphs[-1]} {comment[1]}"]
            continue
        if key := re.match(r"( *)(\w+):", line):
            path = [*path[: len(key[1]) // 2], key[2]]
            found[".".join(path)] = paragraphs[0].strip()
        paragraphs = [""]
    return found


def keys(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The paths of all values, down to where names are free."""
    for name, value in values.items():
        inner = schema["properties"][name]
        yield f"{path}{name}"
        if isinstance(value, dict) and "properties" in inner:
            yield from keys(value, inner, f"{path}{name}.")
