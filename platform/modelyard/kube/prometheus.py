"""What pods counted, from a Prometheus that scrapes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx

from modelyard.errors import ClusterError
from modelyard.monitoring.readings import Reading, Sample
from modelyard.utils.sentences import first_line

__all__ = ["Prometheus"]

TIMEOUT_S = 10.0
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
        self._url, self._namespace = url.rstrip("/"), namespace

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
        for each in self._ask(query):
            labels = each["metric"]
            samples.setdefault(labels["pod"], []).append((labels["__name__"], labels, float(each["value"][1])))
        return {
            name: Reading.of(samples[name]) if name in samples else ClusterError(f"pod {name}", "was not scraped yet")
            for name in names
        }

    def _ask(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = httpx.post(f"{self._url}/api/v1/query", data={"query": query}, timeout=TIMEOUT_S)
            document = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError) as error:
            raise ClusterError(f"Prometheus at {self._url}", f"gives no answer ({first_line(error)})") from None
        if document.get("status") != "success":
            raise ClusterError(f"Prometheus at {self._url}", f"refuses ({document.get('error', answer.status_code)})")
        found: list[dict[str, Any]] = document["data"]["result"]
        return found
