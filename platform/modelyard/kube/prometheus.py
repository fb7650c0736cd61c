"""What pods counted, from a Prometheus that scrapes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.errors import ClusterError
from modelyard.monitoring.prometheus import ask
from modelyard.monitoring.readings import Reading, Sample

__all__ = ["Prometheus"]

SERIES = "modelyard_(requests_total|request_seconds_bucket|predictions_total|prediction_value_bucket)"


class Prometheus:
    """A Prometheus, whose series carry the labels `namespace` and `pod`.

    The operator's ServiceMonitors set both, and so does the usual configuration that scrapes by annotations. It is
    asked for counters as they are, so that pods are counted from one moment to the next in the same way as without it.

    Args:
        url: Its address, with a path where it has one.
        namespace: Of the pods.
    """

    def __init__(self, url: str, namespace: str) -> None:
        self._url, self._namespace = url, namespace

    def read(self, pods: Sequence[Any]) -> dict[str, Reading | ClusterError]:
        """Returns what each pod had counted when it was scraped last, or why that is not known, by name.

        Raises:
            ClusterError: Prometheus does not answer, or refuses.
        """
        names = [str(pod.metadata.name) for pod in pods]
        if not names:
            return {}
        query = f'{{__name__=~"{SERIES}", namespace="{self._namespace}", pod=~"{"|".join(names)}"}}'
        samples: dict[str, list[Sample]] = {}
        for labels, value in ask(self._url, query):
            samples.setdefault(labels["pod"], []).append((labels["__name__"], labels, value))
        return {
            name: Reading.of(samples[name]) if name in samples else ClusterError(f"pod {name}", "was not scraped yet")
            for name in names
        }
