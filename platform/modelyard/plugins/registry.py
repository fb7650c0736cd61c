"""Plugins by name: the built-in ones, those of other distributions, those that a script registers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TypeVar

from modelyard.errors import MissingDependency, ModelyardError, PluginError, PluginNotFound
from modelyard.plugins.base import Component, TabularTrainer

__all__ = ["ENTRY_POINT_GROUP", "get_plugin", "get_trainer", "list_plugins", "register_plugin"]

ENTRY_POINT_GROUP = "modelyard.plugins"
BUILT_IN = {
    name: f"modelyard.plugins.trainers.{name}"
    for name in (
        "linear",
        "random_forest",
        "extra_trees",
        "hist_gradient_boosting",
        "lightgbm",
        "xgboost",
        "sklearn_trainer",
    )
}

C = TypeVar("C", bound=Component)
_registered: dict[str, type[Component]] = {}
_log = logging.getLogger(__name__)


def register_plugin(
    *, name: str, category: str, description: str = "", dependencies: Sequence[str] = (), version: str = "0"
) -> Callable[[type[C]], type[C]]:
    """Registers a class of component under a name.

    Args:
        name: What `get_plugin` finds it by.
        category: What it is for; trainers are ``model_training``.
        description: One sentence for a person.
        dependencies: Packages, by the name they are imported by, that must be there when it is used.
        version: Version of the plugin.

    Returns:
        A decorator that sets these as attributes of the class and gives it back.

    Raises:
        PluginError: The name belongs to another class already, or the class is no component.
    """

    def register(cls: type[C]) -> type[C]:
        if not (isinstance(cls, type) and issubclass(cls, Component)):
            raise PluginError(f"{cls!r} cannot be a plugin; derive it from modelyard.plugins.base.Component")
        _refuse_taken(name, cls)
        cls.name, cls.category, cls.description = name, category, description
        cls.dependencies, cls.version = tuple(dependencies), version
        _registered[name] = cls
        return cls

    return register


def get_plugin(name: str) -> Component:
    """Returns a new instance of the plugin of this name.

    Raises:
        PluginNotFound: Nothing is registered under it.
        MissingDependency: One of its dependencies is not installed.
        PluginError: Its module cannot be imported.
    """
    cls = _find(name)
    missing = [package for package in cls.dependencies if find_spec(package.partition(".")[0]) is None]
    if missing:
        raise MissingDependency(f"the plugin {name!r}", missing, getattr(cls, "extra", ""))
    return cls()


def get_trainer(name: str) -> TabularTrainer:
    """Returns the trainer of this name, for a search to use.

    Raises:
        PluginNotFound: Nothing is registered under it.
        MissingDependency: One of its dependencies is not installed.
        PluginError: The plugin is no `TabularTrainer`.
    """
    plugin = get_plugin(name)
    if not isinstance(plugin, TabularTrainer):
        raise PluginError(
            f"the plugin {name!r} has only execute(); derive it from modelyard.plugins.base.TabularTrainer "
            "to use it in a search"
        )
    return plugin


def list_plugins(category: str | None = None) -> tuple[type[Component], ...]:
    """Returns the classes of all plugins, by name; one that cannot be imported is logged and left out.

    Args:
        category: Only plugins of this category.
    """
    for name in _names():
        try:
            _find(name)
        except ModelyardError as error:
            _log.warning("%s", error)
    found = (cls for _, cls in sorted(_registered.items()))
    return tuple(cls for cls in found if category in (None, cls.category))


def _find(name: str) -> type[Component]:
    if name not in _registered:
        if name in BUILT_IN:
            _import_built_in(name)
        elif name in (others := _entry_points()):
            _load(others[name])
        else:
            raise PluginNotFound(name, _names())
    return _registered[name]


def _import_built_in(name: str) -> None:
    try:
        import_module(BUILT_IN[name])
    except ModuleNotFoundError as error:
        raise MissingDependency(f"the plugin {name!r}", [error.name or str(error)], "train") from error


def _load(entry_point: EntryPoint) -> None:
    """Imports another distribution's plugin: anything may go wrong in there."""
    origin = f"the plugin {entry_point.name!r} of {entry_point.value}"
    try:
        entry_point.load()
    except ModelyardError:
        raise
    except Exception as error:
        raise PluginError(f"{origin} cannot be imported: {type(error).__name__}: {error}") from error
    if entry_point.name not in _registered:
        raise PluginError(f"{origin} does not register itself; its entry point must have the name it registers")


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _names() -> set[str]:
    return {*_registered, *BUILT_IN, *_entry_points()}


def _refuse_taken(name: str, cls: type[Component]) -> None:
    """A module that is imported again, or a notebook's cell that is run again, may replace its own class."""
    owner = _registered.get(name)
    if owner is not None and (owner.__module__, owner.__qualname__) != (cls.__module__, cls.__qualname__):
        taken_by = f"{owner.__module__}.{owner.__qualname__}"
    elif owner is None and name in BUILT_IN and cls.__module__ != BUILT_IN[name]:
        taken_by = BUILT_IN[name]
    else:
        return
    raise PluginError(f"the plugin name {name!r} belongs to {taken_by}; register {cls.__qualname__} under another")
