"""What the driver does at each result: write the ledger, tell the listener, end the search in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray import tune

from modelyard.registry.ledger import Ledger, Record, Trial
from modelyard_tuning.budget import Budget, kept_back
from modelyard_tuning.goal import Goal
from modelyard_tuning.scratch import Scratch

__all__ = ["LedgerWriter", "SearchStopper", "Tally"]

WORKER_DIED = "its worker process died; it may have run out of memory"
HEARTBEAT_S = 0.5
# of so many of the best, one will be refitted
LIKELY = 3
# when so many trials have failed and none has not, more will tell nothing
FUTILE = 30


class Tally:
    """Counts the trials of a search by their records.

    Args:
        goal: What is looked for.
        trials: Trials of an earlier part of the same run.

    Attributes:
        running: Trials that Ray runs now.
        states: Trials that have ended, by what became of them.
        seconds: Seconds that rungs took, by algorithm.
        complete: Last records of the complete trials.
    """

    def __init__(self, goal: Goal, trials: Sequence[Trial] = ()) -> None:
        self._goal = goal
        self.running = 0
        self.states: dict[str, int] = {"complete": 0, "stopped": 0, "failed": 0}
        self.seconds: dict[str, float] = {}
        self.complete: list[Record] = []
        for trial in trials:
            for record in trial.records:
                self.add(record)

    def add(self, record: Record) -> None:
        """Counts a record of a trial that ended or goes on."""
        self.seconds[record.algorithm] = self.seconds.get(record.algorithm, 0.0) + record.seconds
        if record.state != "running":
            self.states[record.state] += 1
        if record.state == "complete":
            self.complete.append(record)

    @property
    def ended(self) -> int:
        """Trials that have ended."""
        return sum(self.states.values())

    @property
    def failed(self) -> int:
        """Trials that have failed."""
        return self.states["failed"]

    def leaders(self, count: int) -> list[Record]:
        """Returns the last records of the best complete trials."""
        scored = [record for record in self.complete if record.score is not None]
        return sorted(scored, key=lambda record: -self._goal.utility(record.score or 0.0))[:count]

    @property
    def best(self) -> float | None:
        """Best score of a complete trial."""
        leaders = self.leaders(1)
        return leaders[0].score if leaders else None


class LedgerWriter(Scratch, tune.Callback):  # type: ignore[misc]  # Ray is untyped
    """Writes each finished rung into the ledger and tells the listener.

    Args:
        ledger: Of the run.
        goal: What is looked for.
        tally: Counts.
        tell: Is called at each result and, in between, twice a second.
    """

    def __init__(self, ledger: Ledger, goal: Goal, tally: Tally, tell: Callable[[], None]) -> None:
        self._ledger, self._goal, self._tally, self._tell = ledger, goal, tally, tell
        self._told = 0.0
        self.running: list[Any] = []

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:  # noqa: ARG002  # Ray's
        """Notes who runs, and keeps the listener's clock going."""
        self.running = [trial for trial in trials if trial.status == "RUNNING"]
        self._tally.running = len(self.running)
        if time.monotonic() - self._told > HEARTBEAT_S:
            self._told = time.monotonic()
            self._tell()

    def on_trial_result(
        self,
        iteration: int,  # noqa: ARG002  # Ray's
        trials: list[Any],  # noqa: ARG002  # Ray's
        trial: Any,
        result: dict[str, Any],
        **info: Any,  # noqa: ARG002  # Ray's
    ) -> None:
        """Writes a rung, finished or failed."""
        figures = {name: result[name] for name in ("score", "fold_scores", "rounds", "seconds") if name in result}
        self._write(
            Record(
                trial=result["number"],
                rung=result["rung"],
                state=self._goal.state(result),
                algorithm=trial.config["algorithm"],
                params=trial.config["params"],
                cost_us=self._goal.cost_us(result),
                started_at=result["started_at"],
                host=result["host"],
                error=result["error"],
                **figures,
            )
        )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:  # noqa: ARG002
        """Writes a trial whose worker died more often than it is tried again."""
        reached = trial.last_result["rung"] + 1 if "rung" in trial.last_result else trial.config["rung"]
        self._write(
            Record(
                trial=trial.config["number"],
                rung=reached,
                state="failed",
                algorithm=trial.config["algorithm"],
                params=trial.config["params"],
                error=f"{trial.config['algorithm']}: {WORKER_DIED}",
            )
        )

    def _write(self, record: Record) -> None:
        if self._ledger.append(record):
            self._tally.add(record)
            self._tell()


class SearchStopper(Scratch, tune.Stopper):  # type: ignore[misc]  # Ray is untyped
    """Ends the search when the rest of its time is needed for what comes after, or a person says so.

    It goes on, however late, until one trial is complete, unless all fail.

    Args:
        budget: The clock.
        tally: Counts.
        writer: Knows who runs.
        interrupted: Set by Ctrl-C.
        check: Raises where this process may not write the run any more.
    """

    def __init__(
        self,
        budget: Budget,
        tally: Tally,
        writer: LedgerWriter,
        interrupted: threading.Event,
        check: Callable[[], None],
    ) -> None:
        self._budget, self._tally, self._writer = budget, tally, writer
        self._interrupted, self._check = interrupted, check
        self._over = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002  # Ray's
        """Returns False: single trials are the scheduler's."""
        return False

    def stop_all(self) -> bool:
        """Returns whether the search is over; ends the trials that run, in the middle of a fit."""
        self._check()
        if not self._over and (self._interrupted.is_set() or self._late()):
            self._over = True
            # a graceful end would wait for the fit, and Tune waits 15 s before it kills
            for trial in self._writer.running:
                if (actor := trial.temporary_state.ray_actor) is not None:
                    ray.kill(actor)
        return self._over

    def _late(self) -> bool:
        if self._tally.failed == self._tally.ended >= FUTILE:
            return True
        left = self._budget.left
        if left is None or self._budget.limit_s is None or not self._tally.complete:
            return False
        return left < kept_back(self._budget.limit_s, self._tally.leaders(LIKELY))
