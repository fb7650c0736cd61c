"""The search algorithm: Optuna's sampler behind Ray Tune's interface, by ask and tell.

Trials that were stopped at a rung are told as pruned with the scores of their rungs, failed ones as failed,
and the predicted latency of a row as a constraint.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune import search

from modelyard.models.training import Configuration
from modelyard.registry.ledger import Trial
from modelyard_tuning.goal import Goal
from modelyard_tuning.rungs import BATCH
from modelyard_tuning.scratch import Scratch
from modelyard_tuning.space import SearchSpace

__all__ = ["StudySearcher"]

TOLD = {"complete": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}
LATENCY = "latency"


@dataclass
class _Open:
    number: int
    trial: optuna.Trial
    scores: dict[int, float] = field(default_factory=dict)
    state: TrialState = TrialState.RUNNING
    cost_us: float | None = None


class StudySearcher(Scratch, search.Searcher):  # type: ignore[misc]  # Ray is untyped
    """Asks a study for configurations and tells it what they came to.

    Args:
        study: An empty study.
        space: What it may draw; the default of each algorithm comes first.
        goal: What is looked for.
        limit: Most trials, finished ones included; none: no end.
        batched: Draw `BATCH` trials together and tell them in the order of their numbers, so that what is
            drawn does not depend on which trial happens to be faster.
    """

    def __init__(
        self, study: optuna.Study, space: SearchSpace, goal: Goal, limit: int | None = None, batched: bool = False
    ) -> None:
        super().__init__()
        self._study, self._space, self._goal = study, space, goal
        self._limit, self._batched = limit, batched
        self._number = 0
        self._first = deque(space.defaults.values())
        self._interrupted: deque[tuple[int, int, Configuration]] = deque()
        self._lost: deque[int] = deque()
        self._open: dict[str, _Open] = {}

    def refeed(self, trials: Iterable[Trial]) -> None:
        """Takes over the trials of a ledger; interrupted ones go on where they were, under their numbers.

        What was interrupted before its first record left nothing but a gap in the numbers; these are drawn again.
        """
        for trial in trials:
            self._lost.extend(range(self._number, trial.number))
            self._number = trial.number + 1
            last = trial.last
            configuration = Configuration(last.algorithm, last.params)
            if configuration in self._first:
                self._first.remove(configuration)
            if last.state == "running":
                self._interrupted.append((trial.number, last.rung + 1, configuration))
                continue
            scores = {record.rung: record.score for record in trial.records if record.score is not None}
            self._study.add_trial(
                optuna.create_trial(
                    state=TOLD[last.state],
                    value=last.score,
                    params=self._space.point(configuration),
                    distributions=self._space.distributions(configuration),
                    intermediate_values=scores,
                    constraints=self._constraints(last.cost_us),
                )
            )

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Returns the next configuration; None where the batch must end first."""
        if self._interrupted:
            number, rung, configuration = self._interrupted.popleft()
            trial, _ = self._ask(configuration)
        elif self._lost:
            number, rung = self._lost.popleft(), 0
            trial, configuration = self._ask_next()
        else:
            if self._limit is not None and self._number >= self._limit:
                return str(self.FINISHED)
            if self._batched and self._number % BATCH == 0 and self._open:
                return None
            number, rung = self._number, 0
            trial, configuration = self._ask_next()
            self._number += 1
        self._open[trial_id] = _Open(number, trial)
        return {
            "number": number,
            "rung": rung,
            "algorithm": configuration.algorithm,
            "params": dict(configuration.params),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keeps the score of a rung."""
        self._open[trial_id].scores[result["rung"]] = result["score"]

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tells what became of a trial, in a repeatable search once its batch is over."""
        ended = self._open[trial_id]
        ended.state = TrialState.FAIL
        if result and not error:
            ended.state = TOLD[self._goal.state(result)]
            ended.cost_us = self._goal.cost_us(result)
            if result["error"] is None:
                ended.scores[result["rung"]] = result["score"]
        if not self._batched:
            self._tell(self._open.pop(trial_id))
        elif self._number % BATCH == 0 and all(one.state != TrialState.RUNNING for one in self._open.values()):
            for one in sorted(self._open.values(), key=lambda one: one.number):
                self._tell(one)
            self._open.clear()

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the ledger is what a search is continued from."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: see `refeed`."""

    def _ask_next(self) -> tuple[optuna.Trial, Configuration]:
        return self._ask(self._first.popleft() if self._first else None)

    def _ask(self, configuration: Configuration | None) -> tuple[optuna.Trial, Configuration]:
        if configuration is not None:
            self._study.enqueue_trial(self._space.point(configuration))
        trial = self._study.ask()
        drawn = self._space.draw(trial)
        return trial, configuration or drawn

    def _tell(self, ended: _Open) -> None:
        for rung, score in sorted(ended.scores.items()):
            ended.trial.report(score, rung)
        for name, value in self._constraints(ended.cost_us).items():
            ended.trial.set_constraint(name, value)
        final = ended.scores[max(ended.scores)] if ended.state == TrialState.COMPLETE else None
        self._study.tell(ended.trial, final, ended.state)

    def _constraints(self, cost_us: float | None) -> dict[str, float]:
        return {} if cost_us is None else {LATENCY: cost_us / self._goal.max_latency_us - 1.0}
