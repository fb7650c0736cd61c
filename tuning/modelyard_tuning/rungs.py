"""Asynchronous successive halving: which trials may go on to the next rung.

A trial is compared with the trials that reached the same rung, never across rungs, whose scores come from
different numbers of rows and folds. The rule is that of Li et al., "A System for Massively Parallel
Hyperparameter Tuning" (MLSys 2020), with a trial stopped instead of paused.
"""

from __future__ import annotations

from typing import Any

from ray.tune import schedulers

from modelyard_tuning.goal import Goal
from modelyard_tuning.scratch import Scratch

__all__ = ["BATCH", "ETA", "RungScheduler", "Rungs"]

ETA = 3
# how many trials of a repeatable search are drawn together; fixed, so that the number of slots changes nothing
BATCH = 8


class Rungs:
    """Decides whether a trial goes on.

    Args:
        deterministic: Compare only with trials of finished batches, so that a decision does not depend on
            which trial of a batch happens to be faster.
    """

    def __init__(self, deterministic: bool = False) -> None:
        self._deterministic = deterministic
        self._utilities: dict[int, dict[int, float]] = {}
        self._decided: dict[tuple[int, int], bool] = {}

    def record(self, trial: int, rung: int, utility: float) -> None:
        """Keeps the result of a trial that went on or was stopped before; of utilities more is better."""
        self._utilities.setdefault(rung, {})[trial] = utility

    def decide(self, trial: int, rung: int, utility: float) -> bool:
        """Returns whether a trial is among the best 1 / `ETA` of its rung, or the rung has fewer than `ETA`.

        Waiting for more would let every algorithm's default climb to the end, and that of a slow one takes a good
        part of a short budget.
        A trial that repeats a rung, because its worker died, gets the answer that it got before.
        """
        if (trial, rung) not in self._decided:
            self.record(trial, rung, utility)
            others = [other for number, other in self._utilities[rung].items() if self._counts(number, trial)]
            places = (len(others) + 1) // ETA
            better = sum(other > utility for other in others)
            self._decided[trial, rung] = not places or better < places
        return self._decided[trial, rung]

    def _counts(self, number: int, trial: int) -> bool:
        if self._deterministic:
            return number // BATCH < trial // BATCH
        return number != trial


class RungScheduler(Scratch, schedulers.FIFOScheduler):  # type: ignore[misc]  # Ray is untyped
    """Stops a trial at a rung by the rule of `Rungs`, and after the last one.

    Args:
        rungs: Decides.
        goal: What is looked for.
    """

    def __init__(self, rungs: Rungs, goal: Goal) -> None:
        super().__init__()
        self._rungs, self._goal = rungs, goal

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002  # Ray's
        """Returns whether the trial goes on."""
        if self._goal.state(result) != "running":
            return str(self.STOP)
        goes_on = self._rungs.decide(result["number"], result["rung"], self._goal.utility(result["score"]))
        return str(self.CONTINUE if goes_on else self.STOP)
