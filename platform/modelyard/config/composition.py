"""Files and overrides to one tree of values, with the place that each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, OmegaConfBaseException

from modelyard.config import schema
from modelyard.config.files import Origins, make_tree, parse_yaml, read_text, shown
from modelyard.config.overrides import OVERRIDE, Assignment, escape, parse_override
from modelyard.config.repository import PRIMARY, Part, Repository
from modelyard.config.schema import Key, dotted, nearest_key
from modelyard.errors import ConfigError
from modelyard.utils.sentences import first_line

__all__ = ["DEFAULTS", "Composition", "compose"]

DEFAULTS = Path(__file__).parent / "defaults"
MISSING = "???"  # OmegaConf's mark of a value that somebody has to give


@dataclass(frozen=True)
class Composition:
    """Composed values.

    Attributes:
        values: By key, interpolations resolved.
        origins: File and line, or "override", by key.
    """

    values: dict[str, Any]
    origins: Origins

    def source(self, key: tuple[str | int, ...]) -> str:
        """Returns where a key, or the nearest one above it that was written down, comes from."""
        names = tuple(str(part) for part in key)
        return next((self.origins[names[:end]] for end in range(len(names), 0, -1) if names[:end] in self.origins), "")


def compose(overrides: Mapping[str, Any] | Sequence[str] | None, config_dir: Path | None) -> Composition:
    """Composes the packaged defaults, a project's folder and overrides; the later ones win.

    Args:
        overrides: A tree of values whose first keys may be dotted, or texts in Hydra's grammar.
        config_dir: A project's folder, with a config.yaml; its files stand before the packaged ones.

    Raises:
        ConfigError: A file, a group, an override or an interpolation that cannot be used.
    """
    if config_dir is not None and not (config_dir / f"{PRIMARY}.yaml").is_file():
        problem = f"has no {PRIMARY}.yaml" if config_dir.is_dir() else "is no folder"
        raise ConfigError(f"--config-dir {config_dir}", problem, hint="`modelyard init DIR` writes DIR/conf")
    repository = Repository([folder for folder in (config_dir, DEFAULTS) if folder])
    texts = () if overrides is None or isinstance(overrides, Mapping) else overrides
    # one text is a sequence of texts too, to Python
    parsed = [parse_override(text) for text in ((texts,) if isinstance(texts, str) else texts)]
    choices = [override for override in parsed if repository.is_choice(override)]
    tree, origins = _read(repository.parts(choices))
    if isinstance(overrides, Mapping):
        for name, value in overrides.items():
            key = tuple(str(name).split("."))
            tree = _merge(tree, _nested(key, escape(value)), OVERRIDE)
            _mark(value, key, origins)
    for override in parsed:
        if override not in choices:
            tree = _apply(override, tree, origins)
    return Composition(_resolve(tree, origins), origins)


def _read(parts: Sequence[Part]) -> tuple[DictConfig, Origins]:
    tree, origins = OmegaConf.create({}), Origins()
    for part in parts:
        source = shown(part.file)
        values, lines = parse_yaml(read_text(part.file), source, part.package)
        values.pop("defaults", None)
        if not part.package:  # a group whose lines are all commented out is null in YAML, and means no change
            values = {
                name: value for name, value in values.items() if value is not None or not schema.group_at((name,))
            }
        tree = _merge(tree, _nested(part.package, values), source)
        origins.update(lines)
    return tree, origins


def _apply(override: Assignment, tree: DictConfig, origins: Origins) -> DictConfig:
    if not override.delete:
        _mark(override.value, override.key, origins)
        return _merge(tree, _nested(override.key, override.value), OVERRIDE)
    parent = OmegaConf.select(tree, ".".join(override.key[:-1])) if len(override.key) > 1 else tree
    if isinstance(parent, DictConfig) and override.key[-1] in parent:
        parent.pop(override.key[-1])
    elif schema.field_at(override.key) is None:
        raise ConfigError(f"~{dotted(override.key)}", "is no setting", OVERRIDE, nearest_key(override.key))
    return tree


def _merge(tree: DictConfig, values: Mapping[str, Any], source: str) -> DictConfig:
    merged = OmegaConf.merge(tree, make_tree(values, source))
    assert isinstance(merged, DictConfig)
    return merged


def _resolve(tree: DictConfig, origins: Origins) -> dict[str, Any]:
    try:
        values = OmegaConf.to_container(tree, resolve=True)
    except InterpolationResolutionError as error:
        key = tuple(str(error.full_key).split("."))
        source = Composition({}, origins).source(key)
        hint = "give the variable, or a default: ${oc.env:NAME,default}" if "nvironment variable" in str(error) else ""
        raise ConfigError(dotted(key), f"cannot be filled in: {first_line(error)}", source, hint) from None
    except OmegaConfBaseException as error:
        raise ConfigError(str(error.full_key or "a value"), first_line(error)) from None
    resolved = {str(name): value for name, value in dict(values).items()}  # type: ignore[arg-type]
    for key, value in _leaves(resolved):
        if value == MISSING:
            source = Composition({}, origins).source(key)
            raise ConfigError(dotted(key), "has no value yet", source, f"write it there, or give {dotted(key)}=...")
    return resolved


def _leaves(values: Mapping[Any, Any], prefix: Key = ()) -> Iterator[tuple[Key, Any]]:
    for name, value in values.items():
        key = (*prefix, str(name))
        if isinstance(value, dict):
            yield from _leaves(value, key)
        else:
            yield key, value


def _mark(value: Any, key: Key, origins: Origins) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _mark(inner, (*key, str(name)), origins)
    else:
        origins[key] = OVERRIDE


def _nested(key: Key, value: Any) -> dict[str, Any]:
    for name in reversed(key):
        value = {name: value}
    return dict(value)
