"""What a search looks for, and what a reported result means in its light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.models.latency import CostModel
from modelyard.registry.ledger import State

__all__ = ["Goal"]


@dataclass(frozen=True)
class Goal:
    """What a search looks for.

    Attributes:
        maximize: Direction of the score.
        last: The highest rung.
        latency: Predicts microseconds from the steps of a prediction.
        max_latency_us: Longest predicted latency that is wanted.
    """

    maximize: bool
    last: int
    latency: CostModel
    max_latency_us: float

    def cost_us(self, result: Mapping[str, Any]) -> float | None:
        """Returns the predicted microseconds of a row; None for a failure."""
        return self.latency.microseconds(result["cost"]) if result["error"] is None else None

    def utility(self, score: float) -> float:
        """Returns a score with its sign turned, where need be, so that greater is better."""
        return score if self.maximize else -score

    def state(self, result: Mapping[str, Any]) -> State:
        """Returns what became of a trial by one of its results, after the scheduler's decision."""
        if result["error"] is not None:
            return "failed"
        if result["rung"] >= self.last:
            return "complete"
        return "stopped" if result.get("done") else "running"
