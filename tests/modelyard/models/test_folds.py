from __future__ import annotations

import numpy as np
import pytest

from modelyard.config.models import MlSettings
from modelyard.data.encoding import Feature
from modelyard.errors import DataError
from modelyard.models.folds import Rung, ladder, make_folds, split_held_out

FEATURES = (Feature("a", "a", "number"), Feature("b", "b", "number"))


SEEDS = range(10)


def with_large_group(task: str) -> tuple[np.ndarray, np.ndarray, int]:
    """10,000 rows of which 30 % are equal and 1,000 more come in groups of 2 to 150; also the number of classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 2)).astype(np.float32)
    X[:3000] = 1.0
    X[3000:3150] = 2.0
    X[3150:4000] = np.repeat(rng.normal(size=(85, 2)), 10, axis=0)
    y = rng.lognormal(sigma=2.0, size=10_000) if task == "regression" else (rng.random(10_000) < 0.025).astype(np.int64)
    if task == "binary":
        y[:3000] = rng.random(3000) < 0.001
    return X, y, 0 if task == "regression" else 2


def rare(y: np.ndarray) -> np.ndarray:
    """The positive class, or the upper tenth of a regression target."""
    return y == 1 if y.dtype.kind == "i" else y > np.quantile(y, 0.9)


def binary(rows: int = 300, share: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 2)).astype(np.float32), (rng.random(rows) < share).astype(np.int64)


def folds_of(X, y, task="binary", classes=2, **ml):
    return make_folds(X, y, FEATURES, task, classes, MlSettings(**ml), "auto")


def test_small_tables_skip_the_first_rung() -> None:
    assert ladder(3999, 15) == (Rung(1.0, 1), Rung(1.0, 15))
    assert ladder(4000, 5) == (Rung(0.25, 1), Rung(1.0, 1), Rung(1.0, 5))


def test_each_repetition_validates_every_row_once() -> None:
    X, y = binary()
    folds = folds_of(X, y)
    assert len(folds.splits) == 15, "five folds, three times below 2,000 rows"
    for repeat in range(3):
        validated = np.concatenate([valid for _, valid in folds.splits[repeat * 5 : repeat * 5 + 5]])
        assert sorted(validated) == list(range(300))
    assert all(not set(train) & set(valid) for train, valid in folds.splits)


def test_large_tables_are_not_repeated_unless_told() -> None:
    X, y = binary(2000)
    assert len(folds_of(X, y).splits) == 5
    assert len(folds_of(X, y, repeats=2).splits) == 10


def test_folds_are_stratified() -> None:
    X, y = binary()
    shares = [y[valid].mean() for _, valid in folds_of(X, y).splits]
    assert np.ptp(shares) < 0.02


def test_regression_folds_share_out_the_tail() -> None:
    X, _ = binary(500)
    y = np.random.default_rng(1).lognormal(sigma=2.0, size=500)
    tail = np.quantile(y, 0.9)
    counts = [(y[valid] > tail).sum() for _, valid in folds_of(X, y, "regression", 0, repeats=1).splits]
    assert set(counts) == {10}


def test_a_share_of_the_training_rows_is_a_random_one() -> None:
    X, y = binary()
    train = folds_of(X, y, repeats=1).splits[0][0]
    assert abs(np.mean(train[: len(train) // 4]) - np.mean(train)) < 30, "row numbers are shuffled"


def test_duplicates_never_lie_in_two_folds() -> None:
    X, y = binary(200)
    X, y = np.concatenate([X, X[:60]]), np.concatenate([y, y[:60]])
    for train, valid in folds_of(X, y).splits:
        assert not {bytes(row) for row in X[train]} & {bytes(row) for row in X[valid]}
    search, held = split_held_out(X, y, "binary", MlSettings(test_size=0.3))
    assert not {bytes(row) for row in X[search]} & {bytes(row) for row in X[held]}


def test_rows_with_equal_nulls_are_duplicates_too() -> None:
    X = np.array([[np.nan, 1.0]] * 10 + [[float(i), 2.0] for i in range(40)], dtype=np.float32)
    y = np.array([0, 1] * 25)
    sides = [
        bool(set(range(10)) & set(valid)) and not set(range(10)) <= set(valid) for _, valid in folds_of(X, y).splits
    ]
    assert not any(sides)


def test_a_rare_class_is_an_error_with_its_count() -> None:
    X, _ = binary(100)
    y = np.array([1] * 3 + [0] * 97)
    with pytest.raises(DataError, match=r"rarest class has 3 rows.*5 folds need at least 5.*ml\.folds"):
        folds_of(X, y)


def test_a_tiny_table_is_an_error_with_its_rows() -> None:
    X, y = binary(7)
    with pytest.raises(DataError, match=r"7 usable rows; 5 folds need at least 10"):
        folds_of(X, y)


@pytest.mark.parametrize(("test_size", "expected"), [(0.2, 60), (0.3, 90), (0.25, 75), (0.5, 150), (0.6, 180)])
def test_held_out_split_has_its_share_and_is_stratified(test_size, expected) -> None:
    X, y = binary()
    search, held = split_held_out(X, y, "binary", MlSettings(test_size=test_size))
    assert abs(len(held) - expected) <= 1
    assert sorted([*search, *held]) == list(range(300))
    assert abs(y[held].mean() - y.mean()) < 0.02


@pytest.mark.parametrize("test_size", [0.1, 0.3, 0.4, 0.6, 0.75])
def test_held_out_split_keeps_about_its_share_where_rows_repeat(test_size) -> None:
    X, y = binary(400)
    X[:20], y[:20] = X[20:40], y[20:40]
    _, held = split_held_out(X, y, "binary", MlSettings(test_size=test_size))
    assert abs(len(held) / 400 - test_size) < 0.02


def test_seeds_decide() -> None:
    X, y = binary()
    first, same, other = (folds_of(X, y, seed=seed).splits for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0][0], same[0][0])
    assert not np.array_equal(first[0][1], other[0][1])


def test_many_groups_are_dealt_fast_evenly_and_stratified() -> None:
    X, y = binary(20_000, 0.1)
    X[:3000], y[:3000] = X[3000:6000], y[3000:6000]
    folds = folds_of(X, y)
    sizes = [len(valid) for _, valid in folds.splits]
    shares = [y[valid].mean() for _, valid in folds.splits]
    assert max(sizes) - min(sizes) <= 10
    assert np.ptp(shares) < 0.005
    assert all(not {bytes(row) for row in X[a]} & {bytes(row) for row in X[b]} for a, b in folds.splits[:1])
    other = folds_of(X, y, seed=1).splits[0][1]
    assert len(set(folds.splits[0][1]) & set(other)) < 0.4 * len(other), "the seed decides"


def test_a_share_that_leaves_a_side_too_small_is_an_error() -> None:
    X, y = binary(30, 0.3)
    with pytest.raises(DataError, match=r"ml\.test_size=0\.01 of 30 rows"):
        split_held_out(X, y, "binary", MlSettings(test_size=0.01))


def test_a_regression_target_of_mostly_one_value_is_split() -> None:
    X, _ = binary(200)
    y = np.zeros(200)
    y[:4] = [-1.0, 5.0, 6.0, 7.0]
    folds = folds_of(X, y, "regression", 0)
    assert {len(valid) for _, valid in folds.splits} == {40}
    _, held = split_held_out(X, y, "regression", MlSettings())
    assert len(held) == 40


def test_too_few_different_rows_are_refused() -> None:
    X = np.repeat(np.arange(3, dtype=np.float32), 20)[:, None].repeat(2, axis=1)
    y = np.tile([0, 1], 30)
    with pytest.raises(DataError, match="of 60 rows only 3 differ from each other"):
        folds_of(X, y)
    search, held = split_held_out(X, y, "binary", MlSettings())
    assert not set(X[search, 0]) & set(X[held, 0])


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("test_size", [0.2, 0.07, 0.37])
def test_a_large_group_of_equal_rows_does_not_distort_the_held_out_share(task, test_size) -> None:
    X, y, _ = with_large_group(task)
    tail = rare(y)
    for seed in SEEDS:
        search, held = split_held_out(X, y, task, MlSettings(test_size=test_size, seed=seed))
        assert abs(len(held) / len(X) - test_size) < 0.001
        assert abs(tail[held].mean() - tail.mean()) < 0.001
        equal = {bytes(row) for row in X[search]} & {bytes(row) for row in X[held]}
        assert equal == {bytes(X[0])}, "only the large group lies on both sides"


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_large_group_of_equal_rows_is_spread_over_the_folds(task) -> None:
    X, y, classes = with_large_group(task)
    tail = rare(y)
    for seed in SEEDS:
        for train, valid in folds_of(X, y, task, classes, seed=seed).splits:
            assert abs(len(valid) / len(X) - 0.2) < 0.001
            assert abs(tail[valid].mean() - tail.mean()) < 0.001
            equal = {bytes(row) for row in X[train]} & {bytes(row) for row in X[valid]}
            assert equal == {bytes(X[0])}


def test_tables_of_small_groups_alone_are_balanced_too() -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(400, 2)), rng.integers(2, 20, 400), axis=0).astype(np.float32)
    y = rng.integers(0, 3, len(X))
    for seed in SEEDS:
        _, held = split_held_out(X, y, "multiclass", MlSettings(seed=seed))
        assert abs(len(held) / len(X) - 0.2) < 0.005
        assert np.abs(np.bincount(y[held]) / len(held) - np.bincount(y) / len(y)).max() < 0.01


def test_a_small_group_in_a_small_table_is_not_split() -> None:
    X, y = binary(100)
    X[:15] = 0.0
    for train, valid in folds_of(X, y).splits:
        assert not {bytes(row) for row in X[train]} & {bytes(row) for row in X[valid]}


def test_the_digest_tells_folds_apart() -> None:
    X, y = binary()
    assert folds_of(X, y).digest == folds_of(X, y).digest
    assert len({folds_of(X, y, seed=seed).digest for seed in range(3)}) == 3
    assert folds_of(X, 1 - y).digest != folds_of(X, y).digest
