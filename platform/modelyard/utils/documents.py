"""JSON and YAML documents that others wrote: read within limits of size and nesting."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import yaml

__all__ = ["MAX_DOCUMENT_BYTES", "MAX_YAML_CHARACTERS", "compose_yaml", "parse_json", "parse_yaml_document"]

MAX_DOCUMENT_BYTES = 4 * 2**20
# of a document with every alias written out
MAX_YAML_CHARACTERS = 2**20
Loader = TypeVar("Loader", bound=yaml.SafeLoader)
TOO_DEEP = "it is nested too deeply"


def parse_json(text: str | bytes) -> Any:
    """Parses JSON.

    Raises:
        ValueError: It is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def parse_yaml_document(text: str | bytes) -> Any:
    """Parses one YAML document of plain data.

    Raises:
        ValueError: It is no YAML, nested too deeply, or too long with its aliases written out.
    """
    try:
        loader, node = compose_yaml(text, yaml.SafeLoader)
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None


def compose_yaml(text: str | bytes, kind: type[Loader]) -> tuple[Loader, yaml.Node | None]:
    """Returns the root node of a YAML document, and the loader that constructs its values.

    Aliases share their node, so that a few lines can stand for billions of values once they are copied or merged. The
    length with every alias written out is computed here, from each node once.

    Args:
        text: The document.
        kind: Class of the loader.

    Raises:
        ValueError: It is longer than `MAX_YAML_CHARACTERS`, or an alias stands inside what it names.
        yaml.YAMLError: It is no YAML.
        RecursionError: It is nested too deeply.
    """
    if len(text) > MAX_YAML_CHARACTERS:
        raise ValueError(f"it has more than {MAX_YAML_CHARACTERS} characters")
    loader = kind(text)
    node = loader.get_single_node()
    if node is not None and _length(node, {}) > MAX_YAML_CHARACTERS:
        raise ValueError(f"it has more than {MAX_YAML_CHARACTERS} characters with its aliases written out")
    return loader, node


def _length(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Returns the characters of a node's scalars, plus one a node; `known` holds each node's, None while it is open."""
    if id(node) in known:
        length = known[id(node)]
        if length is None:
            raise ValueError("an alias names itself")
        return length
    known[id(node)] = None
    if isinstance(node, yaml.ScalarNode):
        length = len(node.value) + 1
    elif isinstance(node, yaml.MappingNode):
        length = 1 + sum(_length(key, known) + _length(value, known) for key, value in node.value)
    else:
        length = 1 + sum(_length(item, known) for item in node.value)
    known[id(node)] = length
    return length
