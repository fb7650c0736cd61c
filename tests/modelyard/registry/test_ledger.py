from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.errors import RunError
from modelyard.registry.ledger import Ledger, Record, State
from modelyard.registry.storage import Storage


def record(trial: int, rung: int, state: State = "running", score: float | None = 0.1 + 0.2) -> Record:
    return Record(trial=trial, rung=rung, state=state, algorithm="linear", params={"C": 0.1}, score=score, seconds=1.5)


def test_records_come_back_in_order_and_to_the_bit(tmp_path: Path) -> None:
    ledger = Ledger(Storage(tmp_path))
    records = [record(12, 1, "complete"), record(2, 0), record(12, 0), record(2, 1, "failed", None)]
    assert all(ledger.append(one) for one in records)
    assert ledger.records() == [records[1], records[3], records[2], records[0]]
    assert (tmp_path / "ledger" / "00012-1.json").is_file()


def test_a_record_is_never_changed(tmp_path: Path) -> None:
    ledger = Ledger(Storage(tmp_path))
    assert ledger.append(record(0, 0, score=0.5))
    assert not ledger.append(record(0, 0, score=0.9))
    assert ledger.records()[0].score == 0.5


def test_a_trial_is_what_its_last_record_says(tmp_path: Path) -> None:
    ledger = Ledger(Storage(tmp_path))
    for one in (record(0, 0), record(0, 1, "complete"), record(1, 0, "stopped"), record(2, 0)):
        ledger.append(one)
    trials = ledger.trials()
    assert [trial.last.state for trial in trials] == ["complete", "stopped", "running"]
    assert trials[0].seconds == 3.0


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "00000-0.json").write_text('{"trial": "x"}')
    with pytest.raises(RunError, match=r"00000-0\.json is not a record"):
        Ledger(Storage(tmp_path)).records()
