from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from free_ports import free_range
from modelyard.config.models import Settings
from modelyard.errors import ServiceError
from modelyard.registry.ledger import Record, Trial
from modelyard.registry.runs import list_runs, open_run
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally
from modelyard_tuning.goal import Goal
from modelyard_tuning.job import tune
from modelyard_tuning.metrics import SearchMetrics
from modelyard_tuning.progress import Progress

ALGORITHMS = ["toy", "other_toy"]


def record(trial: int, rung: int, state: Any, algorithm: str = "toy", **about: Any) -> Record:
    return Record(trial=trial, rung=rung, state=state, algorithm=algorithm, params={}, **about)


def series(samples: Any) -> dict[str, float]:
    """Values by series, each by its name and the value of its label."""
    return {" ".join((it.name.removeprefix("modelyard_search_"), *it.labels.values())): it.value for it in samples}


def collected(tally: Tally, limit: int | None = None, seconds: float | None = None) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(SearchMetrics("weekly-1", "rmse", ALGORITHMS, limit, tally, Budget(seconds, 2.0)))
    found = series(sample for family in registry.collect() for sample in family.samples)
    assert not any(math.isnan(value) for value in found.values())
    return found


def test_every_state_and_algorithm_is_there_from_the_start(goal: Goal) -> None:
    assert collected(Tally(goal), limit=7) == {
        "info weekly-1": 1,
        "budget_left_trials": 7,
        "trials running": 0,
        "trials complete": 0,
        "trials stopped": 0,
        "trials failed": 0,
        "seconds_total toy": 0,
        "seconds_total other_toy": 0,
    }


def test_what_an_earlier_driver_left_counts_like_what_this_one_found(goal: Goal) -> None:
    records = [
        record(0, 0, "running", score=3.0, seconds=1.0),
        record(0, 1, "complete", score=2.0, seconds=2.0),
        record(1, 0, "stopped", "other_toy", score=9.0, seconds=4.0),
        record(2, 0, "failed", error="it broke"),
        record(3, 0, "running", score=1.0, seconds=8.0),
    ]
    found = Tally(goal)
    for one in records:
        found.add(one)
    left = Tally(goal, [Trial(0, tuple(records[:2])), *(Trial(one.trial, (one,)) for one in records[2:])])
    assert collected(found, 3) == collected(left, 3)
    told = collected(left, 3)
    assert {state: told[f"trials {state}"] for state in ("running", "complete", "stopped", "failed")} == {
        "running": 0,
        "complete": 1,
        "stopped": 1,
        "failed": 1,
    }
    assert (told["seconds_total toy"], told["seconds_total other_toy"]) == (11.0, 4.0)
    # one that is still running has no score that counts
    assert told["best_score rmse"] == 2.0
    assert told["budget_left_trials"] == 0


def test_only_the_budget_that_there_is_has_something_left(goal: Goal) -> None:
    timed = collected(Tally(goal), seconds=30.0)
    assert timed["budget_left_seconds"] == 28.0
    assert "budget_left_trials" not in timed
    assert collected(Tally(goal), seconds=1.0)["budget_left_seconds"] == 0.0


def settings(folder: Path, **tuning: Any) -> Settings:
    return Settings.model_validate(
        {
            "data": {"path": "sklearn://breast_cancer"},
            "ml": {"folds": 3, "repeats": 1},
            "model": {"algorithms": ["linear"]},
            "tuning": {"time_budget_s": None, "slots": 2, **tuning},
            "storage": {"runs": str(folder / "runs"), "models": str(folder / "models")},
        }
    )


def test_a_taken_port_is_refused_before_there_is_a_run(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"^tuning.metrics_port {port} cannot be used: Address already in use"):
            tune(settings(tmp_path, trials=1, metrics_port=port))
    assert list_runs(str(tmp_path / "runs")) == []


@pytest.mark.slow
@pytest.mark.usefixtures("scratch")
def test_a_scrape_says_what_the_ledger_does_and_one_of_a_run_that_goes_on_begins_there(tmp_path: Path) -> None:
    ports = [free_range(1)]
    scraped: list[dict[str, float]] = []

    def scrape(_: Progress) -> None:
        text = httpx.get(f"http://127.0.0.1:{ports[-1]}/metrics").text
        scraped.append(series(it for family in text_string_to_metric_families(text) for it in family.samples))

    tune(settings(tmp_path, trials=4, metrics_port=ports[-1]), scrape)
    run = open_run("latest", str(tmp_path / "runs"))
    # there is nothing to say before the ledger is open, and then everything
    assert scraped[0] == {}
    first, last = next(each for each in scraped if each), scraped[-1]
    assert (first["trials complete"], first["budget_left_trials"]) == (0, 4)
    assert max(each.get("trials running", 0) for each in scraped) > 0
    states = [trial.last.state for trial in run.ledger.trials()]
    told = {state: last[f"trials {state}"] for state in ("running", "complete", "stopped", "failed")}
    assert told == {state: states.count(state) for state in told}
    assert last["seconds_total linear"] == pytest.approx(sum(record.seconds for record in run.ledger.records()))
    assert last["best_score roc_auc"] == max(it["score"] for it in run.trials() if it["state"] == "complete")
    assert (last[f"info {run.name}"], last["budget_left_trials"]) == (1, 0)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{ports[-1]}/metrics")

    scraped.clear()
    ports.append(free_range(1))
    tune(settings(tmp_path, trials=5, metrics_port=ports[-1]), scrape, resume=run)
    again = next(each for each in scraped if each)
    assert again.items() >= {**last, "budget_left_trials": 1}.items()
