from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import Encoder
from modelyard.data.violations import Violation, Violations

DAY = "2024-02-29"
NOON = 1709208000.0  # seconds of that day's noon


def find(column: Column, *values: Any) -> list[tuple[str, int, bool]]:
    contract = Contract(columns=(column,), target=Target(name="y", task="regression"))
    found = Violations(contract).find(Encoder(contract).encode({column.name: values}))
    assert all(violation.column == column.name for violation in found)
    return [(violation.kind, violation.count, violation.refused) for violation in found]


@pytest.mark.parametrize("kind", ["numeric", "categorical", "boolean", "datetime"])
def test_a_null_counts_where_training_had_none(kind: Any) -> None:
    assert find(Column(name="x", kind=kind), None, None) == [("null", 2, False)]
    assert find(Column(name="x", kind=kind, on_null="refuse"), None) == [("null", 1, True)]
    assert find(Column(name="x", kind=kind, on_null="refuse", nullable=True), None) == []


def test_a_category_counts_where_training_did_not_know_it() -> None:
    column = Column(name="x", kind="categorical", vocabulary=("a", "3"))
    assert find(column, "a", 3, "b", "A", 4) == [("unknown", 3, False)]
    refused = column.model_copy(update={"on_unknown": "refuse"})
    assert find(refused, None, "b") == [("null", 1, False), ("unknown", 1, True)]


def test_a_range_holds_its_ends_as_float32() -> None:
    column = Column(name="x", kind="numeric", minimum=0.1, maximum=9.0, on_range="refuse")
    assert find(column, 0.1, 9, np.nextafter(0.1, 0)) == []
    assert find(column, 0.0999, 9.0001, None, 5) == [("null", 1, False), ("range", 2, True)]
    assert find(Column(name="x", kind="numeric"), 1e300, -1e300) == []


def test_a_date_s_range_holds_to_the_second() -> None:
    column = Column(name="x", kind="datetime", minimum=NOON, maximum=NOON + 86_400)
    assert find(column, f"{DAY}T12:00:00", "2024-03-01T12:00:00Z", f"{DAY}T14:00:00+02:00", f"{DAY}T23:59:59") == []
    outside = (f"{DAY}T11:59:59.9", "2024-03-01T12:00:00.1", "0001-01-01", "9999-12-31")
    assert find(column, *outside, None) == [("null", 1, False), ("range", 4, False)]


def test_each_column_is_counted_by_its_own_place() -> None:
    columns = (
        Column(name="d", kind="datetime", minimum=0.0, maximum=86_400.0),
        Column(name="x", kind="numeric", minimum=0.0, maximum=1.0),
        Column(name="c", kind="categorical", vocabulary=("a",), nullable=True),
        Column(name="b", kind="boolean"),
    )
    contract = Contract(columns=columns, target=Target(name="y", task="regression"))
    violations = Violations(contract)
    rows = {"d": ["1970-01-01", "1980-01-01"], "x": [0.5, 2], "c": [None, "z"], "b": [True, None]}
    assert violations.find(Encoder(contract).encode(rows)) == [
        Violation("d", "range", 1, False),
        Violation("x", "range", 1, False),
        Violation("c", "unknown", 1, False),
        Violation("b", "null", 1, False),
    ]
    assert violations.possible == [
        ("d", "null"),
        ("d", "range"),
        ("x", "null"),
        ("x", "range"),
        ("c", "unknown"),
        ("b", "null"),
    ]
