"""The folders of a configuration: which files a defaults list takes, in which order.

Hydra reads the defaults lists. Its parts are used directly, because its compose API works on process-wide
state (so no two threads may compose), warns where `_self_` is missing, and adds Hydra's own settings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hydra import version
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.default_element import ConfigDefault
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.config_source import ConfigResult
from omegaconf.errors import OmegaConfBaseException

from modelyard.config import schema
from modelyard.config.files import make_tree, parse_yaml, read_text, shown
from modelyard.config.overrides import OVERRIDE, Assignment
from modelyard.config.schema import Key
from modelyard.errors import ConfigError, nearest
from modelyard.utils.sentences import first_line

__all__ = ["PRIMARY", "Part", "Repository"]

PRIMARY = "config"


@dataclass(frozen=True)
class Part:
    """One file of a composition, and the key that its content stands under."""

    file: Path
    package: Key


class _Source(FileConfigSource):  # type: ignore[misc]  # Hydra has no types
    """A folder of YAML files, read by our reader."""

    def load_config(self, config_path: str) -> ConfigResult:
        file = Path(self.path) / self._normalize_file_name(config_path)
        text = read_text(file)
        values, _ = parse_yaml(text, shown(file))
        return ConfigResult(
            provider=self.provider,
            path=self.path,
            config=make_tree(values, shown(file)),
            header=self._get_header_dict(text),
        )


class Repository(ConfigRepository):  # type: ignore[misc]  # Hydra has no types
    """The folders of one composition; the first one that has a file wins.

    Args:
        folders: Existing folders, a project's before the packaged one.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        # without super().__init__, which goes through a process-wide registry of sources
        self.sources = [_Source(provider="modelyard", path=str(folder.resolve())) for folder in folders]
        self._loaded: dict[str, ConfigResult | None] = {}
        if version.getbase() is version._UNSPECIFIED_:
            version.setbase("1.3")

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Reads a file once; a defaults list without `_self_` gets it at its end, as Hydra has it."""
        if config_path not in self._loaded:
            result = super().load_config(config_path)
            defaults = result.defaults_list if result else None
            if defaults and not any(default.is_self() for default in defaults):
                defaults.append(ConfigDefault(path="_self_"))
            self._loaded[config_path] = result
        return self._loaded[config_path]

    def is_choice(self, override: Assignment) -> bool:
        """Whether an override chooses an option of a group, rather than setting a value."""
        if len(override.key) > 1 or isinstance(override.value, dict):
            return False
        return self.group_exists(override.key[0]) or schema.group_at(override.key) is not None

    def parts(self, choices: Sequence[Assignment] = ()) -> list[Part]:
        """Returns the files of the composition, the later ones win.

        Raises:
            ConfigError: A choice or a defaults list names what no folder has.
        """
        try:
            compose = partial(create_defaults_list, self, PRIMARY, prepend_hydra=False, skip_missing=False)
            known = compose(overrides_list=[]).overrides.known_choices
            defaults = compose(overrides_list=[self._choose(choice, known) for choice in choices]).defaults
        except MissingConfigException as error:
            name, options = str(error.missing_cfg_file), error.options or []
            hint = nearest(name.rpartition("/")[2], options) if options else ""
            raise ConfigError("defaults", f"no file is called {name}.yaml", self._culprit(error), hint) from None
        except RecursionError:
            raise ConfigError("defaults", "a file names itself", self._shown(PRIMARY)) from None
        except (HydraException, OmegaConfBaseException, ValueError, TypeError, AssertionError) as error:
            raise ConfigError(
                "defaults", first_line(error), self._culprit(error), "see conf/README.md for its form"
            ) from None
        return [
            Part(self._file(default.config_path), tuple((default.package or "").split(".")) if default.package else ())
            for default in defaults
        ]

    def _choose(self, override: Assignment, known: dict[str, str | None]) -> Override:
        group, option = override.key[0], override.raw
        if override.delete:
            return Override(OverrideType.DEL, group, None, None, input_line=f"~{group}")
        if not self.config_exists(f"{group}/{option}"):
            options = self.get_group_options(group) if self.group_exists(group) else []
            raise ConfigError(group, f"has no option {option!r}", OVERRIDE, nearest(option, options))
        kind = OverrideType.CHANGE if group in known else OverrideType.ADD
        return Override(kind, group, ValueType.ELEMENT, option, input_line=f"{group}={option}")

    def _file(self, config_path: str) -> Path:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        return Path(source.path, source._normalize_file_name(config_path))

    def _shown(self, config_path: str) -> str:
        return shown(self._file(config_path))

    def _culprit(self, error: Exception) -> str:
        """Hydra says `In 'model/mine':` where a defaults list is wrong."""
        named = re.search(r"[Ii]n '?([\w/.-]+)'?:", str(error))
        path = named.group(1) if named and self.config_exists(named.group(1)) else PRIMARY
        return self._shown(path)
