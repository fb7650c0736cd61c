"""What a search tells Prometheus; no label ever comes from the table.

Nothing is counted here: each scrape reads the tally, which the ledger fills, and the clock. So a driver that goes on
with a run, in another pod for example, begins where the ledger ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally

__all__ = ["SearchMetrics"]


class SearchMetrics(Collector):
    """Collects the figures of one search.

    Args:
        run: Name of the run.
        metric: Name of the score.
        algorithms: What may be drawn.
        limit: Most trials; none: only the time counts.
        tally: Counts.
        budget: The clock.
    """

    def __init__(
        self, run: str, metric: str, algorithms: Sequence[str], limit: int | None, tally: Tally, budget: Budget
    ) -> None:
        self._run, self._metric, self._algorithms, self._limit = run, metric, algorithms, limit
        self._tally, self._budget = tally, budget

    def collect(self) -> Iterator[Metric]:
        """Yields each series as it is now; what cannot be known is left out."""
        yield _gauges("info", "Which run is searched.", "run", {self._run: 1})
        states = {"running": self._tally.running, **self._tally.states}
        yield _gauges("trials", "Trials by state: running, complete, stopped, failed.", "state", states)
        if (best := self._tally.best) is not None:
            yield _gauges("best_score", "Best score of a complete trial.", "metric", {self._metric: best})
        seconds = CounterMetricFamily(
            "modelyard_search_seconds", "Seconds that trials took, by algorithm.", labels=["algorithm"]
        )
        for algorithm in self._algorithms:
            seconds.add_metric([algorithm], self._tally.seconds.get(algorithm, 0.0))
        yield seconds
        if (left := self._budget.left) is not None:
            yield GaugeMetricFamily(
                "modelyard_search_budget_left_seconds", "Seconds left of the time budget.", max(left, 0.0)
            )
        if self._limit is not None:
            yield GaugeMetricFamily(
                "modelyard_search_budget_left_trials",
                "Trials left of those that may be tried.",
                max(self._limit - self._tally.ended, 0),
            )


def _gauges(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"modelyard_search_{name}", help_text, labels=[label])
    for what, value in values.items():
        family.add_metric([what], value)
    return family
