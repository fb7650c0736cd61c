"""Configuration manager: composes conf/ and overrides, validates them, and says what is wrong where."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from modelyard.config.composition import Composition, compose
from modelyard.config.files import parse_yaml, write_yaml
from modelyard.config.models import Settings
from modelyard.config.schema import dotted, group_at, nearest_key
from modelyard.errors import ConfigError

__all__ = ["ConfigManager", "load_config"]

Overrides = Mapping[str, Any] | Sequence[str]
PROJECT = Path("conf")


class ConfigManager:
    """One project's configuration.

    Args:
        config_dir: Folder with a config.yaml; none: ./conf where that has one, else the packaged defaults alone.

    Attributes:
        config_dir: The folder in use, if any.
    """

    def __init__(self, config_dir: str | os.PathLike[str] | None = None) -> None:
        if config_dir is not None:
            self.config_dir: Path | None = Path(config_dir)
        else:
            self.config_dir = PROJECT if (PROJECT / "config.yaml").is_file() else None

    @cached_property
    def settings(self) -> Settings:
        """The settings without overrides."""
        return self.load()

    def load(self, overrides: Overrides | None = None) -> Settings:
        """Composes and validates.

        Args:
            overrides: A tree such as ``{"ml": {"folds": 3}}``, taken as it is, or texts in Hydra's grammar such
                as ``["ml.folds=3", "tuning=quick"]``.

        Raises:
            ConfigError: Names the key, where it stands, and the nearest right name.
        """
        return _validate(compose(overrides, self.config_dir))

    @staticmethod
    def to_yaml(settings: Settings) -> str:
        """Writes every setting; `from_yaml` reads back exactly the same."""
        return write_yaml(settings.model_dump())

    @staticmethod
    def from_yaml(text: str, source: str = "config.yaml") -> Settings:
        """Reads what `to_yaml` wrote; nothing is composed or filled in.

        Args:
            text: The YAML.
            source: Where it stands, for errors.

        Raises:
            ConfigError: The text is not a whole configuration.
        """
        return _validate(Composition(*parse_yaml(text, source)))


def load_config(overrides: Overrides | None = None, config_dir: str | os.PathLike[str] | None = None) -> Settings:
    """Loads the settings of a project: see `ConfigManager`."""
    return ConfigManager(config_dir).load(overrides)


def _validate(composition: Composition) -> Settings:
    try:
        return Settings.model_validate(composition.values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        key = _key(details[0], composition.values)
        # a union reports one problem for each of its members
        problems = dict.fromkeys(_problem(detail) for detail in details if _key(detail, composition.values) == key)
        raise _refusal(key, details[0], " or ".join(problems), composition) from None


def _refusal(key: tuple[str | int, ...], detail: ErrorDetails, problem: str, composition: Composition) -> ConfigError:
    source = composition.source(key)
    if detail["type"] == "extra_forbidden":
        return ConfigError(dotted(key), "is no setting", source, nearest_key(tuple(str(part) for part in key)))
    names = tuple(str(part) for part in key)
    group = group_at(names)
    if group is not None and detail["type"].startswith("model"):
        first = next(iter(group.model_fields))
        return ConfigError(
            dotted(key),
            f"is a group of settings, not {detail['input']!r}",
            source,
            f"write {dotted((*key, first))}=...",
        )
    value = detail["input"]
    shown = f", not {value!r}" if isinstance(value, str | int | float | None) and len(repr(value)) < 80 else ""
    return ConfigError(dotted(key) or "the settings", problem + shown, source)


def _key(detail: ErrorDetails, values: Any) -> tuple[str | int, ...]:
    """Takes pydantic's location without the names of a union's members."""
    key: tuple[str | int, ...] = ()
    for part in detail["loc"]:
        inside = isinstance(values, dict) and part in values
        if not inside and not (isinstance(values, list) and isinstance(part, int)):
            break
        key, values = (*key, part), values[part]
    return key


def _problem(detail: ErrorDetails) -> str:
    if detail["type"] == "string_type":
        return "should be a text"
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    return message[:1].lower() + message[1:]
