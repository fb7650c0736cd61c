from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from modelyard.config.models import ModelSettings
from modelyard.models.folds import Folds
from modelyard.registry.ledger import Record, trials_of
from modelyard_tuning.goal import Goal
from modelyard_tuning.rungs import BATCH
from modelyard_tuning.search import StudySearcher
from modelyard_tuning.space import SearchSpace, make_space
from modelyard_tuning.study import make_study


@pytest.fixture
def space(folds: Folds) -> SearchSpace:
    return make_space(ModelSettings(algorithms=["toy", "other_toy"]), folds.shape)


@pytest.fixture
def study() -> optuna.Study:
    return make_study(0, False, 5)


def reported(rung: int, score: float, cost: float = 100.0, **more: Any) -> dict[str, Any]:
    return {"rung": rung, "score": score, "cost": cost, "error": None, **more}


def test_each_end_is_told_as_what_it_is(study: optuna.Study, space: SearchSpace, goal: Goal) -> None:
    searcher = StudySearcher(study, space, goal)
    for trial in ("complete", "stopped", "failed", "dead"):
        searcher.suggest(trial)
    searcher.on_trial_result("complete", reported(0, 3.0))
    searcher.on_trial_complete("complete", reported(1, 2.0))
    searcher.on_trial_complete("stopped", reported(0, 9.0, cost=1e9, done=True))
    searcher.on_trial_complete("failed", {"rung": 0, "error": "it broke"})
    searcher.on_trial_complete("dead", None, error=True)
    complete, stopped, failed, dead = study.trials
    assert (complete.state, complete.value, complete.intermediate_values) == (
        TrialState.COMPLETE,
        2.0,
        {0: 3.0, 1: 2.0},
    )
    assert (stopped.state, stopped.intermediate_values) == (TrialState.PRUNED, {0: 9.0})
    assert failed.state == dead.state == TrialState.FAIL
    assert complete.constraints["latency"] < 0 < stopped.constraints["latency"]
    assert study.best_trial == complete


def test_the_limit_ends_it(study: optuna.Study, space: SearchSpace, goal: Goal) -> None:
    searcher = StudySearcher(study, space, goal, limit=2)
    assert [searcher.suggest(str(number)) for number in range(3)][2] == searcher.FINISHED


def test_a_batch_is_told_in_the_order_of_its_numbers(study: optuna.Study, space: SearchSpace, goal: Goal) -> None:
    searcher = StudySearcher(study, space, goal, batched=True)
    for number in range(BATCH):
        assert searcher.suggest(str(number))
    assert searcher.suggest("next") is None
    for number in reversed(range(BATCH)):
        assert all(trial.state == TrialState.RUNNING for trial in study.trials)
        searcher.on_trial_complete(str(number), reported(1, float(number)))
    assert [trial.value for trial in study.trials] == list(range(BATCH))
    following = searcher.suggest("next")
    assert isinstance(following, dict)
    assert following["number"] == BATCH


def test_a_ledger_is_fed_back_conditional_spaces_included(study: optuna.Study, space: SearchSpace, goal: Goal) -> None:
    def record(trial: int, rung: int, state: Any, score: float | None, algorithm: str, **params: Any) -> Record:
        return Record(
            trial=trial, rung=rung, state=state, algorithm=algorithm, params=params, score=score, cost_us=50.0
        )

    toy = {"alpha": 1.0, "positive": False}
    records = [
        record(0, 0, "running", 4.0, "toy", **toy),
        record(0, 1, "complete", 3.0, "toy", **toy),
        record(1, 0, "stopped", 8.0, "toy", alpha=0.5, positive=True),
        record(2, 0, "failed", None, "other_toy", alpha=1.2),
        record(4, 0, "running", 5.0, "other_toy", alpha=1.7),
    ]
    searcher = StudySearcher(study, space, goal)
    searcher.refeed(trials_of(records))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert study.trials[0].params == {"algorithm": "toy", "toy.alpha": 1.0, "toy.positive": False}
    assert study.trials[0].intermediate_values == {0: 4.0, 1: 3.0}
    assert study.trials[1].params == {"algorithm": "toy", "toy.alpha": 0.5, "toy.positive": True}
    assert study.trials[2].params == {"algorithm": "other_toy", "other_toy.alpha": 1.2}
    # the interrupted one goes on first, then the default that was not tried, as the trial that left no record
    suggestions = [searcher.suggest(str(number)) for number in range(3)]
    assert suggestions[0] == {"number": 4, "rung": 1, "algorithm": "other_toy", "params": {"alpha": 1.7}}
    assert suggestions[1] == {"number": 3, "rung": 0, "algorithm": "other_toy", "params": {"alpha": 1.5}}
    assert isinstance(suggestions[2], dict)
    assert suggestions[2]["number"] == 5
