from __future__ import annotations

import pytest

from modelyard.registry.ledger import Record
from modelyard_tuning.budget import Budget, kept_back


def record(seconds: float) -> Record:
    return Record(
        trial=0, rung=1, state="complete", algorithm="a", params={}, seconds=seconds, fold_scores=(1.0,) * 5, score=1.0
    )


def test_what_earlier_parts_spent_counts_and_nothing_before_the_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    budget = Budget(10.0, spent_s=8.0)
    now = 105.0
    assert (budget.spent, budget.left) == (8.0, 2.0)
    budget.begin()
    now = 108.0
    assert (budget.spent, budget.left) == (11.0, -1.0)
    assert Budget(None).left is None


def test_slow_models_keep_more_back_but_never_most_of_it() -> None:
    assert kept_back(100.0, []) < kept_back(100.0, [record(4.0)]) < kept_back(100.0, [record(20.0)])
    assert kept_back(100.0, [record(1000.0)]) == 40.0
