"""What a service counted, read back from its exposition."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

__all__ = ["Reading"]

SAMPLE = re.compile(r"(?P<name>modelyard_\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# of the routes, those that predict
PREDICTS = re.compile(r"(predict|infer)$")
P99 = 0.99


@dataclass(frozen=True)
class Reading:
    """Requests for predictions, counted since a service started, or between two moments.

    Attributes:
        by_code: Requests by status code.
        by_bound: Requests that took at most so many seconds, by bound; the last is infinity.
    """

    by_code: Counter[str] = field(default_factory=Counter)
    by_bound: Counter[float] = field(default_factory=Counter)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what a service's /metrics answers."""
        reading = cls()
        for found in SAMPLE.finditer(text):
            labels = dict(LABEL.findall(found["labels"]))
            if not PREDICTS.search(labels.get("route", "")):
                continue
            if found["name"] == "modelyard_requests_total":
                reading.by_code[labels["code"]] += int(float(found["value"]))
            elif found["name"] == "modelyard_request_seconds_bucket":
                reading.by_bound[float(labels["le"])] += int(float(found["value"]))
        return reading

    def since(self, earlier: Self) -> Self:
        """Returns what came after an earlier reading of the same service; all, where it was started again meanwhile."""
        if self.requests < earlier.requests:
            return self
        return type(self)(
            Counter({code: count - earlier.by_code[code] for code, count in self.by_code.items()}),
            Counter({bound: count - earlier.by_bound[bound] for bound, count in self.by_bound.items()}),
        )

    @classmethod
    def total(cls, readings: Iterable[Self]) -> Self:
        """Returns what several services counted together."""
        codes: Counter[str] = Counter()
        bounds: Counter[float] = Counter()
        for each in readings:
            codes.update(each.by_code)
            bounds.update(each.by_bound)
        return cls(codes, bounds)

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
