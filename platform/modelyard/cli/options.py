"""The options that most commands share, and the settings they make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.errors import ConfigError

if TYPE_CHECKING:
    from modelyard.config import Settings

__all__ = ["AsJson", "ConfigDir", "Insecure", "Overrides", "RunName", "load_settings", "split_target", "table_path"]


def _complete_override(incomplete: str) -> list[str]:
    from modelyard.config.schema import dotted, fields

    return [name for name in (f"{dotted(key)}=" for key, _ in fields()) if name.startswith(incomplete)]


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Settings, such as data.path=adult.csv or tuning=quick; conf/README.md lists them.",
        show_default=False,
        autocompletion=_complete_override,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config-dir", metavar="DIR", help="Folder with a config.yaml.  [default: conf, here or in a folder above]"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Speak plain HTTP with a registry that does not speak TLS.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run, or latest.", show_default=False)]


def load_settings(overrides: Sequence[str] | None, config_dir: Path | None) -> Settings:
    """Returns the settings of a command's options."""
    from modelyard.config import load_config

    return load_config(overrides=list(overrides or ()), config_dir=config_dir)


def split_target(target: str | None, overrides: Sequence[str] | None) -> tuple[str | None, list[str]]:
    """Takes an optional first argument apart from the overrides that may stand in its place."""
    rest = list(overrides or ())
    if target is not None and "=" in target and not Path(target).exists():
        return None, [target, *rest]
    return target, rest


def table_path(settings: Settings) -> str:
    """Returns where the table is.

    Raises:
        ConfigError: The settings do not say.
    """
    if not settings.data.path:
        raise ConfigError("data.path", "there is no table yet", hint="give data.path=FILE, or data=breast_cancer")
    return settings.data.path
