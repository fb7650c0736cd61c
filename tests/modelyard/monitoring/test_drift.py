from __future__ import annotations

import math

import pytest

from modelyard.monitoring.drift import FLOOR, Cell, ColumnDrift, measure_drift, population_stability_index


def test_the_index_is_what_the_literature_says() -> None:
    # two bins by hand: (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5)
    by_hand = -0.1 * math.log(0.8) + 0.1 * math.log(1.2)
    assert population_stability_index([0.5, 0.5], [0.4, 0.6]) == pytest.approx(by_hand, abs=1e-12)
    assert population_stability_index([0.3, 0.7], [0.3, 0.7]) == 0


def test_an_empty_bin_has_the_floor_on_either_side() -> None:
    one_sided = (1 - FLOOR) * math.log(1 / FLOOR)
    assert population_stability_index([1.0, 0.0], [1.0, 1.0]) == pytest.approx(one_sided)
    assert population_stability_index([1.0, 1.0], [1.0, 0.0]) == pytest.approx(one_sided)


@pytest.mark.parametrize(("now", "level"), [(50, "stable"), (66, "moved"), (90, "drifted")])
def test_a_column_has_a_level(now: int, level: str) -> None:
    column = ColumnDrift("a", (Cell("x", 0.5, now), Cell("y", 0.5, 100 - now)))
    assert column.level == level


def test_without_rows_nothing_is_said() -> None:
    column = ColumnDrift("a", (Cell("(null)", 0.5, 0), Cell("x", 0.5, 0)))
    assert (column.index, column.level, column.missing, column.unseen) == (None, None, None, None)


def test_shares_of_nulls_and_of_unknown_categories() -> None:
    cells = (Cell("(null)", 0.0, 10), Cell("(unknown)", 0.0, 30), Cell("x", 1.0, 60))
    assert (ColumnDrift("a", cells).missing, ColumnDrift("a", cells).unseen) == (0.1, 0.3)
    assert ColumnDrift("number", cells[:1]).unseen is None


def test_what_moved_most_stands_first_and_what_is_not_known_last() -> None:
    cells = [
        ("calm", Cell("x", 0.5, 50)),
        ("none", Cell("x", 1.0, 0)),
        ("calm", Cell("y", 0.5, 50)),
        ("wild", Cell("x", 0.5, 100)),
        ("wild", Cell("y", 0.5, 0)),
    ]
    assert [one.column for one in measure_drift(cells)] == ["wild", "calm", "none"]
