"""Plugins: what a search, a workflow or another distribution adds to modelyard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.plugins.registry import get_plugin, get_trainer, list_plugins, register_plugin

__all__ = ["get_plugin", "get_trainer", "list_plugins", "register_plugin"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from modelyard.plugins import registry

        return getattr(registry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
