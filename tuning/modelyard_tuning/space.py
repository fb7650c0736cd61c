"""What a search may draw: one of several algorithms, and then that algorithm's own parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from modelyard.config.models import ModelSettings
from modelyard.errors import ConfigError, nearest
from modelyard.models.training import Configuration
from modelyard.plugins.base import TableShape, TabularTrainer
from modelyard.plugins.registry import get_trainer
from modelyard.plugins.space import Choice, Distribution, Int

__all__ = ["ALGORITHM", "SearchSpace", "make_space", "to_optuna"]

ALGORITHM = "algorithm"


def to_optuna(distribution: Distribution) -> BaseDistribution:
    """Returns Optuna's form of a distribution."""
    if isinstance(distribution, Choice):
        return CategoricalDistribution(distribution.options)
    if isinstance(distribution, Int):
        return IntDistribution(distribution.low, distribution.high, log=distribution.log)
    return FloatDistribution(distribution.low, distribution.high, log=distribution.log)


@dataclass(frozen=True)
class SearchSpace:
    """A conditional space; each algorithm's parameters are called ``algorithm.parameter`` in it.

    Attributes:
        trainers: The trainers that compete, by name.
        spaces: What is drawn, by algorithm and parameter.
        defaults: Each algorithm's first configuration.
        fixed: What is not drawn, by algorithm and parameter.
    """

    trainers: Mapping[str, TabularTrainer]
    spaces: Mapping[str, Mapping[str, BaseDistribution]]
    defaults: Mapping[str, Configuration]
    fixed: Mapping[str, Mapping[str, Any]]

    def draw(self, trial: optuna.Trial) -> Configuration:
        """Lets a trial suggest every parameter of a configuration."""
        algorithm = trial.suggest_categorical(ALGORITHM, list(self.spaces))
        params = {
            name: trial._suggest(f"{algorithm}.{name}", distribution)
            for name, distribution in self.spaces[algorithm].items()
        }
        return Configuration(algorithm, {**params, **self.fixed[algorithm]})

    def point(self, configuration: Configuration) -> dict[str, Any]:
        """Returns a configuration as Optuna's parameters."""
        algorithm = configuration.algorithm
        drawn = {
            f"{algorithm}.{name}": configuration.params[name]
            for name in self.spaces[algorithm]
            if name in configuration.params
        }
        return {ALGORITHM: algorithm, **drawn}

    def distributions(self, configuration: Configuration) -> dict[str, BaseDistribution]:
        """Returns the distribution of each parameter that `point` gives."""
        algorithm = configuration.algorithm
        own = {f"{algorithm}.{name}": distribution for name, distribution in self.spaces[algorithm].items()}
        every = {ALGORITHM: CategoricalDistribution(list(self.spaces)), **own}
        return {name: every[name] for name in self.point(configuration)}


def make_space(settings: ModelSettings, shape: TableShape) -> SearchSpace:
    """Gathers the spaces of the algorithms that compete.

    Args:
        settings: Which algorithms, and which parameters are fixed.
        shape: What the trainers may know of the table.

    Raises:
        ConfigError: An algorithm cannot predict this task, or no algorithm knows a fixed parameter.
        PluginNotFound: No such trainer.
    """
    names = settings.algorithms if settings.model_type == "auto" else [settings.model_type]
    if not names:
        raise ConfigError("model.algorithms", "is empty", hint="name at least one trainer")
    trainers = {name: get_trainer(name) for name in dict.fromkeys(names)}
    for name, trainer in trainers.items():
        if shape.task not in trainer.tasks:
            raise ConfigError("model.algorithms", f"{name!r} cannot predict a {shape.task} target")
    known = {name: trainer.space(shape) for name, trainer in trainers.items()}
    _check_fixed(settings.params, known)
    fixed = {
        name: {key: value for key, value in settings.params.items() if key in space or len(known) == 1}
        for name, space in known.items()
    }
    spaces = {
        name: {key: to_optuna(distribution) for key, distribution in space.items() if key not in fixed[name]}
        for name, space in known.items()
    }
    defaults = {
        name: Configuration(name, {**trainer.defaults(shape), **fixed[name]}) for name, trainer in trainers.items()
    }
    return SearchSpace(trainers, spaces, defaults, fixed)


def _check_fixed(params: Mapping[str, Any], known: Mapping[str, Mapping[str, Distribution]]) -> None:
    """A single algorithm may be given any parameter of its estimator; several must share the name with one."""
    if len(known) == 1:
        return
    names = {name for space in known.values() for name in space}
    for key in params:
        if key not in names:
            hint = nearest(key, names)
            raise ConfigError(f"model.params.{key}", "no competing algorithm has this parameter", hint=hint)
