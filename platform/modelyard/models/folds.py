"""Folds, made once for a search, and the ladder of rungs on which configurations are compared."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, train_test_split

from modelyard.config.models import MlSettings
from modelyard.data.encoding import Feature
from modelyard.errors import DataError
from modelyard.plugins.base import TableShape
from modelyard.utils.types import Task

__all__ = ["Folds", "Rung", "ladder", "make_folds", "split_held_out"]

Index = NDArray[np.int64]
SMALL = 2000
TARGET_BINS = 10
MOST_GROUPS = 2000
MOST_PARTS = 20


@dataclass(frozen=True)
class Folds:
    """The search rows and how they are split; put into the object store once.

    Attributes:
        X: Encoded rows, float32, shape (n, features).
        y: Class codes (int64) or values (float64), shape (n,).
        splits: Pairs of shuffled row numbers (train, validation), the repetitions one after the other.
        shape: What the columns are, and the task.
        metric: Name of the metric.
        seed: Seed of every fit.
    """

    X: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float64]
    splits: tuple[tuple[Index, Index], ...]
    shape: TableShape
    metric: str
    seed: int = 0


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        rows: Share of each fold's training rows that is used.
        folds: Number of splits that are used.
    """

    rows: float
    folds: int


def ladder(rows: int, splits: int) -> tuple[Rung, ...]:
    """Returns the rungs: a share of the rows on one fold, all rows on one fold, all folds.

    Small tables skip the first: a quarter of their rows says too little.
    """
    full = (Rung(1.0, 1), Rung(1.0, splits))
    return full if rows < 2 * SMALL else (Rung(0.25, 1), *full)


def make_folds(
    X: NDArray[np.float32],
    y: NDArray[np.int64] | NDArray[np.float64],
    features: tuple[Feature, ...],
    task: Task,
    classes: int,
    ml: MlSettings,
    metric: str,
) -> Folds:
    """Splits the search rows: stratified, duplicates on one side, repeated for small tables.

    Args:
        X: Encoded rows, shape (n, features).
        y: Class codes or values, shape (n,).
        features: What the columns are.
        task: What kind of prediction.
        classes: Number of classes; 0 for regression.
        ml: Number of folds and repetitions, seed.
        metric: Name of the metric.

    Raises:
        DataError: A class has fewer rows than there are folds, or the table fewer rows than that, or fewer that differ.
    """
    strata = _strata(y, task, ml.folds)
    groups = _duplicates(X, ml.folds)
    repeats = ml.repeats or (3 if len(X) < SMALL else 1)
    splits: list[tuple[Index, Index]] = []
    for repeat in range(repeats):
        seed = ml.seed + repeat
        shuffle = np.random.default_rng(seed)
        pairs = _splitter(groups, strata, ml.folds, seed)
        splits.extend((shuffle.permutation(train), np.asarray(valid)) for train, valid in pairs)
    shape = TableShape(task, classes, features, len(X) * (ml.folds - 1) // ml.folds)
    return Folds(X, y, tuple(splits), shape, metric, ml.seed)


def split_held_out(
    X: NDArray[np.float32], y: NDArray[np.int64] | NDArray[np.float64], task: Task, ml: MlSettings
) -> tuple[Index, Index]:
    """Returns row numbers (search, held out), stratified, duplicates on one side, each in ascending order.

    Raises:
        DataError: There are too few rows, of a class or in all, for the two sides.
    """
    strata = _strata(y, task, 2)
    groups = _duplicates(X, 2)
    if groups is None:
        try:
            search, held = train_test_split(
                np.arange(len(X)), test_size=ml.test_size, random_state=ml.seed, stratify=strata
            )
        except ValueError:
            raise DataError(
                f"ml.test_size={ml.test_size:g} of {len(X)} rows leaves too few on one side for "
                f"{len(np.unique(strata))} classes; set it nearer to 0.2"
            ) from None
        return np.sort(search), np.sort(held)
    # scikit-learn wants a row of each class in each part; dealing does not
    finest = min(MOST_PARTS, int(groups.max()) + 1)
    if groups.max() < MOST_GROUPS:
        finest = min(finest, int(np.bincount(strata).min()))
    share = Fraction(ml.test_size).limit_denominator(finest)
    share = min(max(share, Fraction(1, finest)), 1 - Fraction(1, finest))
    parts = _splitter(groups, strata, share.denominator, ml.seed)
    held = np.sort(np.concatenate([part for _, part in parts[: share.numerator]]))
    return np.setdiff1d(np.arange(len(X)), held), held


def _splitter(groups: Index | None, strata: Index, folds: int, seed: int) -> list[tuple[Index, Index]]:
    blank = np.zeros(len(strata))
    stratified = len(np.unique(strata)) > 1
    if groups is None:
        plain = StratifiedKFold if stratified else KFold
        return list(plain(folds, shuffle=True, random_state=seed).split(blank, strata))
    if groups.max() >= MOST_GROUPS:
        dealt = _deal(groups, strata, folds, seed)
        return [(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(folds)]
    grouped = StratifiedGroupKFold if stratified else GroupKFold
    return list(grouped(folds, shuffle=True, random_state=seed).split(blank, strata, groups))


def _deal(groups: Index, strata: Index, folds: int, seed: int) -> Index:
    """Returns each row's fold: groups are dealt like cards, by stratum and size, in rounds that turn at the ends.

    scikit-learn tries every fold for each group, which takes 10 s for 32,000 groups; among so many, dealing is
    as even.
    """
    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    chance = np.random.default_rng(seed).random(len(first))
    order = np.lexsort((chance, -sizes, strata[first]))
    turns = np.arange(len(first)) % (2 * folds)
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.minimum(turns, 2 * folds - 1 - turns)
    return fold[groups]


def _strata(y: NDArray[np.int64] | NDArray[np.float64], task: Task, folds: int) -> Index:
    """Class codes, or quantile bins of a regression target: each fold gets its share of the tail."""
    if len(y) < folds * 2:
        raise DataError(f"the table has {len(y)} usable rows; {folds} folds need at least {folds * 2}")
    if task == "regression":
        edges = np.unique(np.quantile(y, np.linspace(0, 1, min(TARGET_BINS, len(y) // folds) + 1)[1:-1]))
        bins = np.searchsorted(edges, y)
        # a value that half of the rows share leaves bins with hardly any: these join the next one
        common = np.flatnonzero(np.bincount(bins) >= folds)
        return np.minimum(np.searchsorted(common, bins), len(common) - 1).astype(np.int64)
    counts = np.bincount(y.astype(np.int64))
    if counts.min() < folds:
        raise DataError(
            f"the rarest class has {counts.min()} rows for the search; {folds} folds need at least {folds}: "
            "merge or leave out rare classes, or lower ml.folds"
        )
    return y.astype(np.int64)


def _duplicates(X: NDArray[np.float32], folds: int) -> Index | None:
    """Group numbers in which equal rows share one; None where no two rows are equal."""
    words = np.ascontiguousarray(X).view(np.dtype((np.void, X.shape[1] * X.itemsize))).ravel()
    unique, groups = np.unique(words, return_inverse=True)
    if len(unique) < folds:
        raise DataError(
            f"of {len(X)} rows only {len(unique)} differ from each other, and equal rows stay in one fold; "
            f"{folds} folds need at least {folds}: add columns that tell rows apart, or lower ml.folds"
        )
    return None if len(unique) == len(X) else groups.astype(np.int64)
