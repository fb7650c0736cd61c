"""The ledger: one small record for every finished rung, the truth of a search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Record", "State"]

State = Literal["running", "stopped", "complete", "failed"]
Tuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class Record(BaseModel):
    """What one finished rung of one trial came to.

    Attributes:
        trial: The trial's number, from 0.
        rung: Which rung of the ladder, from 0; -1 where it failed before the first.
        state: What became of the trial after this rung: goes on, was stopped, is complete, has failed.
        algorithm: The trainer's name.
        params: Its parameters.
        score: Mean over the rung's folds, in the metric's own direction; None where it failed.
        fold_scores: By fold.
        rounds: Boosting rounds by fold, where early stopping chose them.
        cost_us: Estimated microseconds of one prediction.
        seconds: Seconds this rung took.
        started_at: When the rung began, ISO 8601 in UTC.
        error: One sentence, where it failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    trial: int
    rung: int
    state: State
    algorithm: str
    params: dict[str, Any]
    score: float | None = None
    fold_scores: Annotated[tuple[float, ...], Tuple] = ()
    rounds: Annotated[tuple[int, ...], Tuple] = ()
    cost_us: float | None = None
    seconds: float = 0.0
    started_at: str = ""
    error: str | None = None
