"""YAML files of a configuration: their values, and where each one stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from modelyard.config import schema
from modelyard.config.schema import Key
from modelyard.errors import ConfigError
from modelyard.utils.documents import compose_yaml
from modelyard.utils.sentences import first_line

__all__ = ["Origins", "make_tree", "parse_yaml", "read_text", "shown", "write_yaml"]

Origins = dict[Key, str]

TEXT, NULL, BOOLEAN = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
TOO_DEEP = "is nested too deeply, or an alias names itself"
MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans and floats, and dates as texts: `no` may be a label, 1e-3 is a number."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool", ":float"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that either YAML would read as something else."""


_Dumper.yaml_implicit_resolvers = {
    first: [*yaml.SafeDumper.yaml_implicit_resolvers.get(first, ()), *_Loader.yaml_implicit_resolvers.get(first, ())]
    for first in {*yaml.SafeDumper.yaml_implicit_resolvers, *_Loader.yaml_implicit_resolvers}
}


def write_yaml(values: Mapping[str, Any]) -> str:
    """Writes plain data; `parse_yaml` reads back exactly the same."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def shown(file: Path) -> str:
    """Returns a path as a person knows it: below the working directory without it."""
    try:
        return str(file.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def read_text(file: Path) -> str:
    """Reads a file of UTF-8 text.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(shown(file), f"is not UTF-8 (byte {error.start})", hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(shown(file), f"cannot be read: {error.strerror}") from None


def parse_yaml(text: str, source: str, package: Key = ()) -> tuple[dict[str, Any], Origins]:
    """Reads the settings in a YAML text.

    Args:
        text: The YAML.
        source: Name of its file.
        package: Key that its content stands under.

    Returns:
        Its content, and file and line of each key. Settings that are texts keep what was written: a column
        called 1e3 or true stays that.

    Raises:
        ConfigError: It is no YAML, or holds no mapping.
    """
    try:
        loader, node = compose_yaml(text, _Loader)
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(source, "holds no settings", hint="write KEY: VALUE lines")
        origins: Origins = {}
        _visit(node, package, source, origins)
        return loader.construct_document(node), origins
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(source, f"is not YAML: {line}{error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(source, f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(source, TOO_DEEP) from None


def make_tree(values: Mapping[str, Any], source: str) -> DictConfig:
    """Returns values as a tree in which interpolations work.

    Raises:
        ConfigError: A value that no configuration can hold, such as the start of an interpolation without its end.
    """
    try:
        return OmegaConf.create(dict(values))
    except OmegaConfBaseException as error:
        raise ConfigError(str(error.full_key or "a value"), first_line(error), source) from None
    except RecursionError:
        raise ConfigError(source, TOO_DEEP) from None


def _visit(node: yaml.MappingNode, prefix: Key, source: str, origins: Origins) -> None:
    seen: set[str] = set()
    for name, value in node.value:
        if name.tag == MERGE or not isinstance(name, yaml.ScalarNode):
            continue
        if name.value in seen:
            raise yaml.MarkedYAMLError(problem=f"{name.value!r} is there twice", problem_mark=name.start_mark)
        seen.add(name.value)
        name.tag = TEXT
        key = (*prefix, name.value)
        origins[key] = f"{source}, line {name.start_mark.line + 1}"
        if isinstance(value, yaml.MappingNode):
            _visit(value, key, source, origins)
        elif schema.is_text(key):
            _keep_text(value)
        elif schema.is_text_list(key) and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                _keep_text(item, null=True)


def _keep_text(node: yaml.Node, null: bool = False) -> None:
    if isinstance(node, yaml.ScalarNode) and (null or node.tag != NULL):
        node.tag = TEXT
