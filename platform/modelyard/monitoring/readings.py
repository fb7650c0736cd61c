"""What a service counted, read back from its exposition."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

__all__ = ["Reading", "Sample"]

SAMPLE = re.compile(r'(?P<name>modelyard_\w+)\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*")*)\} (?P<value>\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# of the routes, those that predict
PREDICTS = re.compile(r"(predict|infer)$")

Key = TypeVar("Key")
# name, labels and value, as they stand in an exposition or in a Prometheus' answer
Sample = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True)
class Reading:
    """Requests for predictions, counted since a service started, or between two moments.

    Attributes:
        by_code: Requests by status code.
        by_bound: Requests that took at most so many seconds, by bound; the last is infinity.
        by_class: Predictions by class.
        by_edge: Predicted values that were at most so large, by edge of the bins; the last is infinity.
    """

    by_code: Counter[str] = field(default_factory=Counter)
    by_bound: Counter[float] = field(default_factory=Counter)
    by_class: Counter[str] = field(default_factory=Counter)
    by_edge: Counter[float] = field(default_factory=Counter)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what a service's /metrics answers."""
        found = SAMPLE.finditer(text)
        return cls.of((each["name"], dict(LABEL.findall(each["labels"])), float(each["value"])) for each in found)

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Self:
        """Takes what there is to know of requests out of a service's samples."""
        reading = cls()
        for name, labels, value in samples:
            count = int(value)
            if name == "modelyard_predictions_total":
                reading.by_class[labels["class"]] += count
            elif name == "modelyard_prediction_value_bucket":
                reading.by_edge[float(labels["le"])] += count
            elif not PREDICTS.search(labels.get("route", "")):
                continue
            elif name == "modelyard_requests_total":
                reading.by_code[labels["code"]] += count
            elif name == "modelyard_request_seconds_bucket":
                reading.by_bound[float(labels["le"])] += count
        return reading

    def since(self, earlier: Self) -> Self:
        """Returns what came after an earlier reading of the same service; all, where it was started again meanwhile."""
        if self.requests < earlier.requests:
            return self
        return type(self)(
            _less(self.by_code, earlier.by_code),
            _less(self.by_bound, earlier.by_bound),
            _less(self.by_class, earlier.by_class),
            _less(self.by_edge, earlier.by_edge),
        )

    @classmethod
    def total(cls, readings: Iterable[Self]) -> Self:
        """Returns what several services counted together."""
        total = cls()
        for each in readings:
            total.by_code.update(each.by_code)
            total.by_bound.update(each.by_bound)
            total.by_class.update(each.by_class)
            total.by_edge.update(each.by_edge)
        return total

    @property
    def predictions(self) -> Counter[str]:
        """Predictions by class, or by the bin that their value fell into."""
        if self.by_class:
            return self.by_class
        edges = sorted(self.by_edge)
        below = [0, *(self.by_edge[edge] for edge in edges)]
        return Counter(
            {f"up to {edge}": self.by_edge[edge] - before for edge, before in zip(edges, below, strict=False)}
        )

    @property
    def requests(self) -> int:
        """How many there were."""
        return self.by_code.total()

    @property
    def errors(self) -> int:
        """How many the service could not answer: status 500 and more."""
        return sum(count for code, count in self.by_code.items() if code >= "5")

    @property
    def refused(self) -> int:
        """How many were told to come back, because too many came at a time: status 429."""
        return self.by_code["429"]

    def quantile(self, share: float) -> float | None:
        """Returns the seconds that this share of requests took at most, by linear interpolation as Prometheus does.

        Returns:
            None without requests; the highest finite bound where more of them took longer.
        """
        bounds = sorted(self.by_bound)
        if not bounds or not self.by_bound[bounds[-1]]:
            return None
        rank = share * self.by_bound[bounds[-1]]
        below, start = 0, 0.0
        for bound in bounds:
            count = self.by_bound[bound]
            if count >= rank and not math.isinf(bound):
                return start + (bound - start) * (rank - below) / max(count - below, 1)
            if not math.isinf(bound):
                below, start = count, bound
        return start


def _less(later: Counter[Key], earlier: Counter[Key]) -> Counter[Key]:
    return Counter({key: count - earlier[key] for key, count in later.items()})
