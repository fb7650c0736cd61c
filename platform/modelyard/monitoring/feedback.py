"""What became of predictions: outcomes by version, in counters that add up over replicas."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from modelyard.data.cells import MOST_NAMED, OTHER
from modelyard.data.contract import Target
from modelyard.models.figures import Figure
from modelyard.monitoring.counted_ids import CountedIds

__all__ = ["FeedbackMetrics", "Outcome", "card_errors"]

# in the folder that the workers of a service share for their metrics
COUNTED = "modelyard-counted.ids"
# lower edges of the bins of a probability, but the first
EDGES = tuple(tenth / 10 for tenth in range(1, 10))
BINS = tuple(f"{low / 10:g} to {(low + 1) / 10:g}" for low in range(10))


@dataclass(frozen=True)
class Outcome:
    """A prediction and what it should have been.

    Attributes:
        number: Of the prediction; its outcome is counted once.
        version: Of the model that predicted.
        code: Of the predicted class; 0 where values are predicted.
        score: The positive class's probability, of more than two classes the predicted one's; or the value.
        actual: Code of the true class, or the true value.
    """

    number: int
    version: str
    code: int
    score: float
    actual: float


class FeedbackMetrics:
    """The counters of outcomes.

    Args:
        registry: Where they are exposed.
        target: What is predicted.
        classes: The text of each class.
        version: Of the model that is served; others may be counted while it is replaced.
        held_out: The card's figures, which outcomes are held against.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        target: Target,
        classes: tuple[str, ...],
        version: str,
        held_out: Mapping[str, Figure],
    ) -> None:
        self._task = target.task
        self._names = [*classes[:MOST_NAMED], *[OTHER] * (len(classes) - MOST_NAMED)]
        self._rows = Counter(
            "modelyard_feedback_rows_total", "Predictions whose outcome came.", ["version"], registry=registry
        )
        self._repeated = Counter(
            "modelyard_feedback_repeated_total",
            "Outcomes that were not counted, since an outcome of the same prediction was.",
            ["version"],
            registry=registry,
        )
        self._errors = Counter(
            "modelyard_feedback_error_total",
            "Sum of the errors of these predictions, by measure: misclassified (0 or 1), squared, absolute.",
            ["version", "measure"],
            registry=registry,
        )
        self._confusion = Counter(
            "modelyard_feedback_outcomes_total",
            "Predictions by predicted and by true class.",
            ["version", "predicted", "actual"],
            registry=registry,
        )
        self._scores = Counter(
            "modelyard_feedback_scores_total",
            "Predictions by the positive class's probability and by true class.",
            ["version", "bin", "actual"],
            registry=registry,
        )
        card = Gauge(
            "modelyard_card_error",
            "Mean error on held-out rows, by measure as in modelyard_feedback_error_total.",
            ["version", "measure"],
            registry=registry,
            multiprocess_mode="max",
        )
        shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._counted = CountedIds(Path(shared, COUNTED) if shared else None)
        for counter in (self._rows, self._repeated):
            counter.labels(version)
        for measure, error in card_errors(held_out).items():
            card.labels(version, measure).set(error)
            self._errors.labels(version, measure)

    def count(self, outcomes: Sequence[Outcome]) -> int:
        """Counts the outcomes of predictions that have none yet; returns their number."""
        sums: dict[tuple[Counter, *tuple[str, ...]], float] = defaultdict(float)
        new = self._counted.add(one.number for one in outcomes)
        for one, is_new in zip(outcomes, new, strict=True):
            if not is_new:
                sums[self._repeated, one.version] += 1
                continue
            sums[self._rows, one.version] += 1
            if self._task == "regression":
                sums[self._errors, one.version, "squared"] += (one.score - one.actual) ** 2
                sums[self._errors, one.version, "absolute"] += abs(one.score - one.actual)
                continue
            actual = self._names[int(one.actual)]
            sums[self._errors, one.version, "misclassified"] += one.code != one.actual
            sums[self._confusion, one.version, self._names[one.code], actual] += 1
            if self._task == "binary":
                sums[self._errors, one.version, "squared"] += (one.score - one.actual) ** 2
                sums[self._scores, one.version, BINS[bisect_right(EDGES, one.score)], actual] += 1
        for (counter, *labels), total in sums.items():
            counter.labels(*labels).inc(total)
        return sum(new)


def card_errors(held_out: Mapping[str, Figure]) -> dict[str, float]:
    """Returns the mean error by measure, of those that a card's figures tell."""
    found = {}
    if "accuracy" in held_out:
        found["misclassified"] = 1 - held_out["accuracy"].value
    if "brier" in held_out:
        found["squared"] = held_out["brier"].value
    if "rmse" in held_out:
        found["squared"] = held_out["rmse"].value ** 2
    if "mae" in held_out:
        found["absolute"] = held_out["mae"].value
    return found
