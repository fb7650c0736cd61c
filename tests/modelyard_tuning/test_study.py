from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.models.folds import Folds, Rung
from modelyard.models.training import Configuration, evaluate_configuration
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run
from modelyard.registry.storage import Storage
from modelyard_tuning.study import Search, run_search

pytestmark = pytest.mark.slow

MakeSearch = Callable[..., Search]


@pytest.fixture(scope="module")
def repeatable(make_search: MakeSearch, scratch: Path) -> Search:
    search = make_search(trials=20, deterministic=True, slots=2, startup_trials=5)
    run_search(search, scratch)
    return search


def result(record: Record) -> dict[str, Any]:
    return record.model_dump(exclude={"seconds", "started_at"})


def test_a_search_fills_the_ledger(repeatable: Search, folds: Folds) -> None:
    trials = repeatable.run.ledger.trials()
    assert [trial.number for trial in trials] == list(range(20))
    assert {trial.last.state for trial in trials} == {"complete", "stopped"}
    assert (trials[0].last.algorithm, trials[0].last.params) == ("toy", {"alpha": 1.0, "positive": False})
    assert (trials[1].last.algorithm, trials[1].last.params) == ("other_toy", {"alpha": 1.5})
    assert repeatable.tally.ended == 20
    complete = [trial for trial in trials if trial.last.state == "complete"]
    assert repeatable.tally.best == min(trial.last.score for trial in complete if trial.last.score)
    # what the worker wrote past the driver is what the trial function gives here
    first = complete[0].last
    again = evaluate_configuration(Configuration(first.algorithm, first.params), folds, Rung(1.0, 3))
    written = np.load(io.BytesIO(repeatable.run.storage.read(f"predictions/{complete[0].number:05d}.npy")))
    assert first.score == again.score
    np.testing.assert_array_equal(written, again.predictions)
    assert len(repeatable.run.storage.list("predictions")) == len(complete)


def test_a_repeatable_search_repeats_to_the_bit_on_any_number_of_slots(
    repeatable: Search, make_search: MakeSearch, scratch: Path
) -> None:
    again = make_search(trials=20, deterministic=True, slots=1, startup_trials=5)
    run_search(again, scratch)
    assert list(map(result, again.run.ledger.records())) == list(map(result, repeatable.run.ledger.records()))


def test_a_search_goes_on_where_its_ledger_ends(
    repeatable: Search, make_search: MakeSearch, scratch: Path, tmp_path: Path
) -> None:
    run = Run("copy", Storage(shutil.copytree(repeatable.run.folder, tmp_path / "copy")))
    # as a driver that was killed leaves it: one trial with its first rung done, and one without any
    (cut,) = [record for record in run.ledger.records() if record.trial == 0 and record.rung == 0]
    for name in ("00000-1", "00005-0", "00005-1"):
        (tmp_path / "copy" / "ledger" / f"{name}.json").unlink(missing_ok=True)
    kept = run.ledger.records()

    resumed = make_search(run=run, trials=24)
    run_search(resumed, scratch)
    after = {(record.trial, record.rung): record for record in run.ledger.records()}
    assert [after[record.trial, record.rung] for record in kept] == kept
    trials = run.ledger.trials()
    assert [trial.number for trial in trials] == list(range(24))
    assert [record.rung for record in trials[0].records] == [0, 1]
    assert trials[0].last.state == "complete"
    assert trials[0].last.params == cut.params
    assert resumed.tally.ended == 24


def test_a_fit_that_fails_is_one_failed_trial_and_a_worker_that_died_is_none(
    make_search: MakeSearch, scratch: Path, tmp_path: Path
) -> None:
    search = make_search(trials=12, params={"half": True, "dies_once": str(tmp_path / "died")})
    run_search(search, scratch)
    assert (tmp_path / "died").exists()
    failed = [trial.last for trial in search.run.ledger.trials() if trial.last.state == "failed"]
    assert 0 < len(failed) < 12
    assert search.tally.failed == len(failed)
    assert {record.error for record in failed} == {"toy could not be fitted: this toy is broken"}
    assert all(record.params["positive"] for record in failed)


def test_a_search_in_which_everything_fails_ends_itself(make_search: MakeSearch, scratch: Path) -> None:
    search = make_search(time_budget_s=600.0, params={"broken": True})
    run_search(search, scratch)
    assert 30 <= search.tally.failed == search.tally.ended <= 32


def test_a_worker_that_dies_again_and_again_is_a_failure(make_search: MakeSearch, scratch: Path) -> None:
    search = make_search(trials=1, params={"dies_always": True})
    run_search(search, scratch)
    (trial,) = search.run.ledger.trials()
    assert trial.last.state == "failed"
    assert trial.last.error == "toy: its worker process died; it may have run out of memory"
