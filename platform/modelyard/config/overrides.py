"""Overrides of the command line: Hydra's grammar, and the text itself where that refuses it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Sweep
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from modelyard.config import schema
from modelyard.config.files import parse_yaml
from modelyard.config.schema import Key, dotted
from modelyard.errors import ConfigError

__all__ = ["OVERRIDE", "Assignment", "escape", "parse_override"]

OVERRIDE = "override"
FORM = re.compile(r"(?P<sign>\+\+|\+|~)?(?P<key>[\w-]+(?:[./][\w-]+)*)(?P<assigns>=(?P<raw>.*))?", re.DOTALL)
QUOTED = re.compile(r"""(["'])((?:(?!\1)[^\\]|\\.)*)\1""", re.DOTALL)
ITEM = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,]*?)\s*(,|\Z)""", re.DOTALL)


@dataclass(frozen=True)
class Assignment:
    """One override.

    Attributes:
        key: The setting's key, or a group's name.
        raw: What stands after the equals sign.
        value: What it means.
        delete: Whether it removes the key (``~key``) instead.
    """

    key: Key
    raw: str
    value: Any
    delete: bool = False


def parse_override(text: str) -> Assignment:
    """Parses ``key=value``, ``+key=value``, ``++key=value`` (all the same here) or ``~key``.

    Raises:
        ConfigError: The text has none of these forms.
    """
    match = FORM.fullmatch(text)
    if match is None or (match["assigns"] is None) != (match["sign"] == "~"):
        raise ConfigError(repr(text), "is no override", hint="write KEY=VALUE, such as tuning.trials=20")
    key, raw = tuple(match["key"].split(".")), match["raw"] or ""
    if match["sign"] == "~":
        return Assignment(key, raw, None, delete=True)
    return Assignment(key, raw, _value(key, raw))


def escape(value: Any) -> Any:
    """Returns plain data in which no text is taken for an interpolation."""
    if isinstance(value, Mapping):
        return {str(name): escape(inner) for name, inner in value.items()}
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes):
        return [escape(inner) for inner in value]
    return value.item() if hasattr(value, "item") else value


def _value(key: Key, raw: str) -> Any:
    if schema.is_text(key):
        return None if raw == "null" and schema.nullable(key) else _interpolable(_unquoted(raw))
    if schema.is_text_list(key):
        if raw.startswith("[") and raw.endswith("]"):
            return [_interpolable(item) for item in _items(key, raw[1:-1])]
        return None if raw == "null" else raw
    try:
        value = OverridesParser.create().parse_override(f"key={raw}").value()
        if not isinstance(value, Sweep):
            return _interpolable(value)
    except HydraException:
        pass
    if raw.startswith(("[", "{")):
        try:
            return _interpolable(parse_yaml(f"value: {raw}", OVERRIDE)[0]["value"])
        except ConfigError:
            pass
    return _interpolable(raw)


def _unquoted(raw: str) -> str:
    match = QUOTED.fullmatch(raw)
    return re.sub(r"""\\(["'\\])""", r"\1", match[2]) if match else raw


def _items(key: Key, inner: str) -> list[str]:
    """Splits a list of texts at its commas; quotes keep a comma or outer blanks."""
    items: list[str] = []
    position = 0
    while inner.strip():
        match = ITEM.match(inner, position)
        if match is None or not match[1]:
            raise ConfigError(dotted(key), "has an empty item", OVERRIDE, 'write "" for an empty text')
        items.append(_unquoted(match[1]))
        if not match[2]:
            break
        position = match.end()
    return items


def _interpolable(value: Any) -> Any:
    """Keeps an interpolation, and takes a text that only looks like the start of one as it is."""
    try:
        OmegaConf.create({"value": value})
    except OmegaConfBaseException:
        return escape(value)
    return value
