"""Configuration: conf/ and overrides to typed settings.

The names are loaded when they are first used: reading a configuration needs Hydra, importing this does not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.config.manager import ConfigManager, load_config
    from modelyard.config.models import Settings

__all__ = ["ConfigManager", "Settings", "load_config"]

_HOMES = {"ConfigManager": "manager", "Settings": "models", "load_config": "manager"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
