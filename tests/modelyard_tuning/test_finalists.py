from __future__ import annotations

import dataclasses
import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from modelyard.config.models import Settings
from modelyard.errors import ConversionFailed, TrainingError
from modelyard.models.calibration import Calibration
from modelyard.models.folds import Rung
from modelyard.models.latency import CostModel
from modelyard.models.training import Configuration, evaluate_configuration
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.registry import get_trainer
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run, create_run
from modelyard_tuning.budget import Budget
from modelyard_tuning.finalists import Finalist, choose_winner
from modelyard_tuning.goal import Goal
from modelyard_tuning.preparation import Prepared, load_table, prepare
from modelyard_tuning.trainable import predictions_file


class Lying(type(get_trainer("linear"))):  # type: ignore[misc]  # the class of whatever is registered
    """Its compiled form answers something else."""

    name = "lying"

    def convert(self, _: Fitted, shape: TableShape) -> bytes:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(50, len(shape.features))).astype(np.float32)
        other = self.fit(self.defaults(shape), X, rng.normal(size=50), shape=shape)
        return super().convert(other, shape)


class Mute(Lying):
    """It has no compiled form."""

    name = "mute"

    def convert(self, _: Fitted, __: TableShape) -> bytes:
        raise ConversionFailed("mute", "nobody wrote one")


class Broken(Lying):
    """It cannot be fitted again."""

    name = "broken"

    def fit(self, *_: Any, **__: Any) -> Fitted:
        raise ValueError("no second time")


TRAINERS: dict[str, TabularTrainer] = {
    "linear": get_trainer("linear"),
    "lying": Lying(),
    "mute": Mute(),
    "broken": Broken(),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{number}": rng.normal(size=200) for number in range(3)})
    frame["target"] = frame["x0"] - 2 * frame["x1"] + rng.normal(size=200)
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    settings = Settings.model_validate({"data": {"path": str(path)}, "ml": {"folds": 3}})
    return prepare(load_table(settings), settings)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(Settings.model_validate({"storage": {"runs": str(tmp_path)}}))


def choose(run: Run, prepared: Prepared, *order: str, **settings: Any) -> Finalist:
    """The trials' scores fall in the order of their algorithms; a name with a star is predicted to be slow."""
    records = []
    for number, name in enumerate(order):
        algorithm = name.rstrip("*")
        params = TRAINERS[algorithm].defaults(prepared.folds.shape)
        cost_us = 1e9 if name.endswith("*") else 10.0
        scores = {"score": 1.0 + number, "cost_us": cost_us}
        records.append(Record(trial=number, rung=1, state="complete", algorithm=algorithm, params=params, **scores))
    goal, budget = Goal(False, 1, CostModel(), 5000.0), Budget(None)
    chosen = Settings.model_validate(settings)
    return choose_winner(records[::-1], run, chosen, prepared, goal, budget, threading.Event(), TRAINERS)


def test_the_best_that_is_correct_wins(run: Run, prepared: Prepared) -> None:
    winner = choose(run, prepared, "lying", "mute", "broken", "linear", "linear")
    assert winner.record.trial == 3
    assert winner.graph is not None
    assert winner.parity is not None
    assert winner.parity.passed
    assert winner.parity.rows == 10_000 + len(prepared.y) + len(prepared.folds.y)
    np.testing.assert_allclose(winner.scorer(prepared.X), winner.fitted.pipeline.predict(prepared.X), atol=1e-4)


def test_what_is_predicted_to_be_slow_comes_last(run: Run, prepared: Prepared) -> None:
    assert choose(run, prepared, "linear*", "linear").record.trial == 1


def test_only_so_many_are_tried(run: Run, prepared: Prepared) -> None:
    with pytest.raises(ConversionFailed):
        choose(run, prepared, "lying", "mute", "linear", tuning={"finalists": 2})


def test_a_wrong_conversion_is_not_served_unless_the_original_may_be(run: Run, prepared: Prepared) -> None:
    with pytest.raises(ConversionFailed, match=r"'lying'.* differs from its original in \d+ of .*serve_original=true"):
        choose(run, prepared, "lying", "mute")
    winner = choose(run, prepared, "lying", "mute", model={"serve_original": True})
    assert winner.record.trial == 0
    assert winner.graph is None
    assert "differs" in winner.problem
    np.testing.assert_array_equal(winner.scorer(prepared.X), winner.fitted.pipeline.predict(prepared.X))


def test_a_correct_model_comes_before_an_original(run: Run, prepared: Prepared) -> None:
    winner = choose(run, prepared, "lying", "linear", model={"serve_original": True})
    assert winner.record.trial == 1


def test_a_slow_model_does_not_win(run: Run, prepared: Prepared) -> None:
    with pytest.raises(TrainingError, match=r"no model answers within tuning\.max_latency_ms=1e-06"):
        choose(run, prepared, "linear", tuning={"max_latency_ms": 1e-6})


def test_the_reason_is_told_where_none_can_be_fitted_again(run: Run, prepared: Prepared) -> None:
    with pytest.raises(TrainingError, match="no second time"):
        choose(run, prepared, "broken")


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A binary table, split twice."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{number}": rng.normal(size=400) for number in range(3)})
    frame["target"] = np.where(frame["x0"] + rng.normal(size=400) > 1.8, "yes", "no")
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.to_csv(path, index=False)
    settings = Settings.model_validate({"data": {"path": str(path)}, "ml": {"folds": 3, "repeats": 2, "metric": "f1"}})
    return prepare(load_table(settings), settings)


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize(
    ("metric", "judge"),
    [("f1", f1_score), ("accuracy", accuracy_score), ("roc_auc", balanced_accuracy_score)],
)
def test_threshold_and_calibration_come_from_predictions_of_single_fits(
    run: Run, unbalanced: Prepared, metric: str, judge: Any, calibrate: bool
) -> None:
    folds = dataclasses.replace(unbalanced.folds, metric=metric)
    params = TRAINERS["linear"].defaults(folds.shape)
    predictions = evaluate_configuration(Configuration("linear", params), folds, Rung(1.0, 6)).predictions
    content = io.BytesIO()
    np.save(content, predictions)
    run.storage.write(predictions_file(0), content.getvalue())
    model = {"threshold": "tuned", "calibrate": calibrate}
    winner = choose(run, dataclasses.replace(unbalanced, folds=folds), "linear", model=model)

    y, p = np.concatenate([folds.y, folds.y]), np.concatenate(list(predictions))
    assert (winner.calibration is not None) == calibrate
    if winner.calibration is not None:
        assert winner.calibration == Calibration.fit(y, p)
        p = winner.calibration.apply(p)
    levels = np.unique(p[:, 1])
    best = max(judge(y, p[:, 1] > cut) for cut in (levels[1:] + levels[:-1]) / 2)
    assert judge(y, p[:, 1] > winner.threshold) == pytest.approx(best)
