"""What a search came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from modelyard.utils.types import Task

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """The summary of a run.

    Attributes:
        run: The run's name.
        folder: Its folder.
        task: What is predicted.
        metric: Name of the metric.
        score: The winner's on the held-out rows; None where they do not allow the metric.
        interval: Its 95 % bootstrap interval.
        baselines: Scores of simple models on the same rows, by name.
        algorithm: The winner's trainer.
        params: The winner's parameters.
        cross_validation: The winner's mean score over the folds.
        trials: Number of trials that ended: complete, stopped or failed.
        failed_trials: How many of them failed.
        failures: The last error by algorithm.
        seconds: Seconds from the search's begin to the evaluation's end, those of earlier parts of the run included.
        interrupted: Whether a person ended it before its time.
        model: The model's folder.
        model_name: The model's name.
        version: The model's version.
        served: Whether the compiled or the original model is to be served.
        latency_us: Median microseconds of one prediction.
        report: The report's file; empty where there is none.
        findings: Messages of the quality report that are more than information.
    """

    run: str
    folder: str
    task: Task
    metric: str
    score: float | None
    interval: tuple[float, float] | None
    baselines: dict[str, float]
    algorithm: str
    params: dict[str, Any]
    cross_validation: float | None
    trials: int
    failed_trials: int
    failures: dict[str, str]
    seconds: float
    interrupted: bool
    model: str
    model_name: str
    version: str
    served: str
    latency_us: float | None
    report: str
    findings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns it for a JSON file."""
        return asdict(self)
