from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import cloudpickle
from sklearn.linear_model import Ridge

from modelyard.config.models import MlSettings, Settings
from modelyard.data.encoding import Feature
from modelyard.models.folds import Folds, ladder, make_folds
from modelyard.models.latency import CostModel
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.registry import register_plugin
from modelyard.plugins.space import Choice, Float, Space
from modelyard.registry.runs import Run, create_run
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally
from modelyard_tuning.cluster import ray_cluster
from modelyard_tuning.goal import Goal
from modelyard_tuning.space import make_space
from modelyard_tuning.study import Search

# a worker cannot import this file
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@register_plugin(name="toy", category="model_training")
class Toy(TabularTrainer):
    """Fits in a millisecond; its parameters make it fail, or kill its worker once or always."""

    def space(self, _: TableShape) -> Space:
        return {"alpha": Float(1e-3, 1e3, log=True), "positive": Choice((False, True))}

    def defaults(self, _: TableShape) -> dict[str, Any]:
        return {"alpha": 1.0, "positive": False}

    def fit(self, params: Any, X: Any, y: Any, **_: Any) -> Fitted:
        if params.get("broken") or (params.get("half") and params["positive"]):
            raise ValueError("this toy is broken")
        if params.get("dies_always"):
            os._exit(1)
        if marker := params.get("dies_once"):
            try:
                Path(marker).touch(exist_ok=False)
            except FileExistsError:
                pass
            else:
                os._exit(1)
        return Fitted(Ridge(alpha=params["alpha"], positive=params["positive"]).fit(X, y))

    def convert(self, *_: Any) -> bytes:
        raise NotImplementedError

    def cost(self, _: Fitted, shape: TableShape) -> float:
        return float(len(shape.features))


@register_plugin(name="other_toy", category="model_training")
class OtherToy(Toy):
    """A second algorithm with a space of its own."""

    def space(self, _: TableShape) -> Space:
        return {"alpha": Float(1.0, 2.0)}

    def defaults(self, _: TableShape) -> dict[str, Any]:
        return {"alpha": 1.5}

    def fit(self, params: Any, X: Any, y: Any, **options: Any) -> Fitted:
        return super().fit({"positive": False, **params}, X, y, **options)


@pytest.fixture(scope="session")
def folds() -> Folds:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 5)).astype(np.float32)
    y = X @ np.array([1.0, -2.0, 0.5, 0.0, 3.0]) + rng.normal(size=240)
    features = tuple(Feature(f"x{number}", f"x{number}", "number") for number in range(5))
    return make_folds(X, y, features, "regression", 0, MlSettings(folds=3, repeats=1), "rmse")


@pytest.fixture(scope="session")
def goal(folds: Folds) -> Goal:
    return Goal(False, len(ladder(len(folds.y), len(folds.splits))) - 1, CostModel(), 5000.0)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """Starts a local Ray for all tests of a process."""
    with ray_cluster("local", 2) as folder:
        yield folder


@pytest.fixture(scope="session")
def make_search(tmp_path_factory: pytest.TempPathFactory, folds: Folds, goal: Goal) -> Callable[..., Search]:
    """Makes a search over the toys; keywords are settings of the model and the tuning."""

    def make(run: Run | None = None, params: dict[str, Any] | None = None, **tuning: Any) -> Search:
        settings = Settings.model_validate(
            {
                "model": {"algorithms": ["toy", "other_toy"], "params": params or {}},
                "tuning": {"time_budget_s": None, **tuning},
                "storage": {"runs": str(tmp_path_factory.mktemp("runs"))},
            }
        )
        if params and not set(params) <= {"alpha", "positive"}:
            settings.model.model_type = "toy"
        run = run or create_run(settings)
        return Search(
            run=run,
            settings=settings,
            folds=folds,
            space=make_space(settings.model, folds.shape),
            goal=goal,
            budget=Budget(settings.tuning.time_budget_s),
            tally=Tally(goal, run.ledger.trials()),
            slots=settings.tuning.slots or 2,
            interrupted=threading.Event(),
            check=lambda: None,
            tell=lambda: None,
        )

    return make
