from __future__ import annotations

import optuna
import pytest

from modelyard.config.models import ModelSettings
from modelyard.errors import ConfigError, PluginNotFound
from modelyard.models.folds import Folds
from modelyard.models.training import Configuration
from modelyard.plugins.space import Choice, Float, Int
from modelyard_tuning.space import make_space, to_optuna

TOYS = ["toy", "other_toy"]


def test_each_distribution_has_its_twin() -> None:
    assert to_optuna(Float(0.1, 1.0, log=True)) == optuna.distributions.FloatDistribution(0.1, 1.0, log=True)
    assert to_optuna(Int(1, 9)) == optuna.distributions.IntDistribution(1, 9)
    assert to_optuna(Choice(("a", None, 2))) == optuna.distributions.CategoricalDistribution(("a", None, 2))


def test_a_point_of_the_space_comes_back(folds: Folds) -> None:
    space = make_space(ModelSettings(algorithms=TOYS), folds.shape)
    configuration = Configuration("toy", {"alpha": 2.0, "positive": True})
    point = space.point(configuration)
    assert point == {"algorithm": "toy", "toy.alpha": 2.0, "toy.positive": True}
    assert set(space.distributions(configuration)) == set(point)
    study = optuna.create_study()
    study.enqueue_trial(point)
    assert space.draw(study.ask()) == configuration


def test_fixed_parameters_are_not_drawn(folds: Folds) -> None:
    space = make_space(ModelSettings(algorithms=TOYS, params={"positive": True}), folds.shape)
    assert space.defaults["toy"] == Configuration("toy", {"alpha": 1.0, "positive": True})
    assert space.defaults["other_toy"] == Configuration("other_toy", {"alpha": 1.5})
    drawn = [space.draw(optuna.create_study().ask()) for _ in range(10)]
    assert all(one.params["positive"] for one in drawn if one.algorithm == "toy")


def test_what_no_algorithm_knows_is_refused(folds: Folds) -> None:
    with pytest.raises(ConfigError, match=r"model\.params\.alhpa.*did you mean 'alpha'"):
        make_space(ModelSettings(algorithms=TOYS, params={"alhpa": 1.0}), folds.shape)
    with pytest.raises(PluginNotFound, match="toy"):
        make_space(ModelSettings(model_type="toyy"), folds.shape)
    assert make_space(ModelSettings(model_type="toy", params={"max_iter": 9}), folds.shape).fixed == {
        "toy": {"max_iter": 9}
    }
