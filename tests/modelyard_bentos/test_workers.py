"""Several workers under one parent: the lane in front of each, and figures that add up over all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement

from figures import figure
from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard_bentos.client import Server
from waiting import until

ROWS, REQUESTS = 5, 20
ANSWERED = ("modelyard_requests_total", {"code": "200", "route": "/predict"})
AGES = ("modelyard_drift_rows_total", {"column": "age"})


TWO = Settings.model_validate({"api": {"workers": 2}})


@pytest.fixture(params=["own", "bentoml"])
def pair(folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of two workers that nobody has asked yet."""
    with Server(folder, TWO, bentoml=request.param == "bentoml") as running:
        yield running


def total(server: Server, name: str, labels: Mapping[str, str] | None = None) -> float | None:
    return figure(httpx.get(f"{server.url}/metrics", timeout=30).text, name, **(labels or {}))


def ask(server: Server) -> None:
    """Every request on a connection of its own, so that both workers get some."""
    for _ in range(REQUESTS):
        assert httpx.post(f"{server.url}/predict", json={"rows": [GOOD] * ROWS}, timeout=30).status_code == 200


def workers(server: Server) -> list[int]:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [pid for pid in map(int, children) if b"--fd" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_figures_add_up_over_workers_and_stay_when_one_is_killed(pair: Server) -> None:
    ask(pair)
    # a scrape makes only the worker that it reaches write what is pending; the others do a moment later
    until(lambda: total(pair, *ANSWERED) == REQUESTS)
    until(lambda: total(pair, "modelyard_rows_total") == REQUESTS * ROWS)
    until(lambda: total(pair, "modelyard_predictions_total") == REQUESTS * ROWS)
    until(lambda: total(pair, *AGES) == REQUESTS * ROWS)
    # a gauge that both workers set is one figure, without a label for each
    assert total(pair, "modelyard_drift_expected_share", {"column": "age"}) == pytest.approx(1)
    assert total(pair, "modelyard_model_info") == 1
    before = workers(pair)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(now := workers(pair)) == 2 and before[0] not in now)
    assert total(pair, *ANSWERED) == REQUESTS
    ask(pair)
    until(lambda: total(pair, *ANSWERED) == 2 * REQUESTS)
    until(lambda: total(pair, "modelyard_rows_total") == 2 * REQUESTS * ROWS)
    until(lambda: total(pair, *AGES) == 2 * REQUESTS * ROWS)
    assert total(pair, "modelyard_drift_expected_share", {"column": "age"}) == pytest.approx(1)


def test_the_page_s_counts_are_of_all_workers(pair: Server) -> None:
    ask(pair)

    def live() -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{pair.url}/api/v1/live", timeout=30).json()
        return answer

    until(lambda: live()["requests"] == {"2xx": REQUESTS})
    answers = [live() for _ in range(REQUESTS)]
    assert {answer["buckets"][-1]["requests"] for answer in answers} == {REQUESTS}
    # whichever worker answers
    assert len({answer["replica"] for answer in answers}) == 1


def test_the_lane_stands_in_front_of_the_bentoml_that_we_support(folder: Path) -> None:
    supported = next(one for one in map(Requirement, requires("modelyard") or ()) if one.name == "bentoml")
    assert version("bentoml") in supported.specifier
    with Server(folder, TWO, bentoml=True) as pair:
        ask(pair)
        until(lambda: total(pair, *ANSWERED) == REQUESTS)
        # each worker warns at its start where it cannot step in front, or cannot replace uvicorn's protocol
        log = pair.log.read_text()
    assert "Service people initialized" in log
    assert "stay behind its other middlewares" not in log
    assert "have no limits" not in log
