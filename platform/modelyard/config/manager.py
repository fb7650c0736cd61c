"""Configuration manager: composes conf/ and overrides, validates them, and says what is wrong where."""

from __future__ import annotations

import logging
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
from modelyard.config.project import CONF, find_project, resolve_paths
from modelyard.config.schema import dotted, group_at, nearest_key
from modelyard.errors import ConfigError

__all__ = ["ConfigManager", "load_config"]

logger = logging.getLogger(__name__)

Overrides = Mapping[str, Any] | Sequence[str]


class ConfigManager:
    """One project's configuration.

    Args:
        config_dir: Folder with a config.yaml. None searches conf/ in the working directory and the folders above it, up
            to the root of a Git repository; where there is none, the packaged defaults stand alone.

    Attributes:
        config_dir: The folder in use, if any.
        project: Folder that relative paths in files of settings start from, where conf/ was found above the working
            directory; None is the working directory. Paths in overrides always start from the working directory.
    """

    def __init__(self, config_dir: str | os.PathLike[str] | None = None) -> None:
        self.config_dir: Path | None = None
        self.project: Path | None = None
        if config_dir is not None:
            self.config_dir = Path(config_dir)
        elif (found := find_project()) is not None:
            above = found != Path.cwd()
            self.project = found if above else None
            self.config_dir = found / CONF if above else Path(CONF)
        logger.info("settings: %s", "packaged defaults" if self.config_dir is None else self.config_dir.absolute())

    @cached_property
    def settings(self) -> Settings:
        """The settings without overrides."""
        return self.load()

    def load(self, overrides: Overrides | None = None) -> Settings:
        """Composes and validates.

        Args:
            overrides: A tree such as ``{"ml": {"folds": 3}}`` or ``{"ml.folds": 3}``, its values taken as they are, or
                texts in Hydra's grammar such as ``["ml.folds=3", "tuning=quick"]``.

        Raises:
            ConfigError: Names the key, where it stands, and the nearest right name.
        """
        composition = compose(overrides, self.config_dir)
        settings = _validate(composition)
        if self.project is not None:
            resolve_paths(settings, composition, self.project)
        return settings

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
