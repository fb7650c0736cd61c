"""Questions to a Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx

from modelyard.errors import ClusterError
from modelyard.utils.sentences import first_line

__all__ = ["ask"]

TIMEOUT_S = 10.0


def ask(url: str, query: str) -> list[tuple[Mapping[str, str], float]]:
    """Returns labels and value of each series that a query has now.

    Args:
        url: Prometheus' address, with a path where it has one.
        query: In its language.

    Raises:
        ClusterError: It does not answer, or refuses.
    """
    url = url.rstrip("/")
    try:
        answer = httpx.post(f"{url}/api/v1/query", data={"query": query}, timeout=TIMEOUT_S)
        document = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, json.JSONDecodeError) as error:
        raise ClusterError(f"Prometheus at {url}", f"gives no answer ({first_line(error)})") from None
    if document.get("status") != "success":
        raise ClusterError(f"Prometheus at {url}", f"refuses ({document.get('error', answer.status_code)})")
    return [(each["metric"], float(each["value"][1])) for each in document["data"]["result"]]
