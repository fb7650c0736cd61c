from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from modelyard.monitoring.drift import (
    FLOOR,
    LEVELS,
    Cell,
    ColumnDrift,
    measure_drift,
    population_stability_index,
    reaching,
)

SHAPES = {
    "two": [0.5, 0.5],
    "rare": [0.99, 0.01],
    "ten": [0.1] * 10,
    "with nulls": [0.05, *[0.095] * 10, 0.0],
    "words": (1 / np.arange(1, 51) / np.sum(1 / np.arange(1, 51))).tolist(),
}


def drift_of(expected: list[float], rows: Sequence[float]) -> ColumnDrift:
    return ColumnDrift(
        "a", tuple(Cell(str(place), *pair) for place, pair in enumerate(zip(expected, rows, strict=True)))
    )


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


@pytest.mark.parametrize("expected", SHAPES.values(), ids=SHAPES)
def test_with_the_least_rows_chance_alone_seldom_reaches_a_level(expected: list[float]) -> None:
    rng = np.random.default_rng(1)
    least = drift_of(expected, [1.0] + [0.0] * (len(expected) - 1)).least_rows

    def by_chance(rows: int) -> list[float]:
        return [population_stability_index(expected, sample / rows) for sample in rng.multinomial(rows, expected, 4000)]

    assert np.mean(np.array(by_chance(least)) >= LEVELS["moved"]) < 0.02
    assert np.quantile(by_chance(least // 4), 0.99) > LEVELS["moved"]


@pytest.mark.parametrize("expected", SHAPES.values(), ids=SHAPES)
def test_the_interval_holds_the_index_of_the_whole_population(expected: list[float]) -> None:
    rng = np.random.default_rng(2)
    for actual in (np.array(expected), 0.8 * np.array(expected) + 0.2 * np.array(expected)[::-1]):
        true = population_stability_index(expected, actual)
        samples = rng.multinomial(1000, actual, 150)
        intervals = [drift_of(expected, rows.tolist()).interval for rows in samples]
        assert np.mean([low <= true <= high for low, high in intervals]) > 0.89


def test_few_rows_have_no_level_and_stand_last() -> None:
    few, enough = drift_of([0.5, 0.5], [3, 0]), drift_of([0.5, 0.5], [50, 50])
    assert (few.level, few.least_rows) == (None, 67)
    assert few.index > 1
    assert drift_of([1.0], [1]).level == "stable"
    measured = measure_drift([("few", cell) for cell in few.cells] + [("enough", cell) for cell in enough.cells])
    assert [one.column for one in measured] == ["enough", "few"]


def test_columns_that_reach_a_level_are_found() -> None:
    columns = [drift_of([0.5, 0.5], [now, 200 - now]) for now in (100, 132, 180)] + [drift_of([0.5, 0.5], [3, 0])]
    assert reaching(columns, "stable") == columns[:3]
    assert reaching(columns, "moved") == columns[1:3]
    assert reaching(columns, "drifted") == columns[2:3]


def test_without_rows_nothing_is_said() -> None:
    column = ColumnDrift("a", (Cell("(null)", 0.5, 0), Cell("x", 0.5, 0)))
    assert (column.index, column.level, column.missing, column.unseen) == (None, None, None, None)
    assert column.interval is None


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
