"""Folds, made once for a search, and the ladder of rungs on which configurations are compared."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.config.models import MlSettings
from modelyard.data.encoding import Feature
from modelyard.errors import DataError
from modelyard.plugins.base import TableShape
from modelyard.utils.types import Task

__all__ = ["Folds", "Rung", "ladder", "make_folds", "split_held_out"]

Index = NDArray[np.int64]
SMALL = 2000
TARGET_BINS = 10
# larger groups of equal rows are split, unless they are so small that a model may memorise their labels
LARGE_GROUP_SHARE = 0.02
LARGE_GROUP_ROWS = 20
COUNT_HINT = "; if the target is a number, such as a count, set data.task=regression (task='regression' in a call)"


@dataclass(frozen=True)
class Folds:
    """The search rows and how they are split; put into the object store once.

    Attributes:
        X: Encoded rows, float32, shape (n, features).
        y: Class codes (int64) or values (float64), shape (n,).
        splits: Pairs of shuffled row numbers (train, validation), the repetitions one after the other.
        shape: The columns and the task.
        metric: Name of the metric.
        seed: Seed of every fit.
        repeats: Number of repetitions; each validates every row once.
    """

    X: NDArray[np.float32]
    y: NDArray[np.int64] | NDArray[np.float64]
    splits: tuple[tuple[Index, Index], ...]
    shape: TableShape
    metric: str
    seed: int = 0
    repeats: int = 1

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of rows, targets and splits; scores can only be compared where it is equal."""
        digest = hashlib.sha256()
        for part in (self.X, self.y, *itertools.chain.from_iterable(self.splits)):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


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
    """Splits the search rows into stratified folds, repeated for small tables.

    Equal rows share a fold, so that a model cannot be scored on rows that it was fitted on. Groups above 2 % of the
    rows are the exception: their rows are spread over all folds. A model that sees a fiftieth of the table as one
    point learns how often each label occurs there, as it would from new rows, and not the labels of single rows,
    while a fold that must hold such a group as a whole has neither its share of the rows nor of the classes.

    Args:
        X: Encoded rows, shape (n, features).
        y: Class codes or values, shape (n,).
        features: The columns of `X`.
        task: Kind of prediction.
        classes: Number of classes; 0 for regression.
        ml: Number of folds and repetitions, seed.
        metric: Name of the metric.

    Raises:
        DataError: A class has fewer rows than there are folds, or the table has too few rows or too few that differ.
    """
    strata = _strata(y, task, ml.folds)
    groups = _groups(X, ml.folds)
    repeats = ml.repeats or (3 if len(X) < SMALL else 1)
    splits: list[tuple[Index, Index]] = []
    for repeat in range(repeats):
        seed = ml.seed + repeat
        shuffle = np.random.default_rng(seed)
        fold_of = _assign(groups, strata, np.full(ml.folds, 1 / ml.folds), seed)
        splits.extend(
            (shuffle.permutation(np.flatnonzero(fold_of != fold)), np.flatnonzero(fold_of == fold))
            for fold in range(ml.folds)
        )
    shape = TableShape(task, classes, features, len(X) * (ml.folds - 1) // ml.folds)
    return Folds(X, y, tuple(splits), shape, metric, ml.seed, repeats)


def split_held_out(
    X: NDArray[np.float32], y: NDArray[np.int64] | NDArray[np.float64], task: Task, ml: MlSettings
) -> tuple[Index, Index]:
    """Splits a table into search rows and held-out rows, stratified, with equal rows on one side.

    Groups of equal rows above 2 % of the table are split, for the reason that `make_folds` gives.

    Args:
        X: Encoded rows, shape (n, features).
        y: Class codes or values, shape (n,).
        task: Kind of prediction.
        ml: Share of the held-out rows, seed.

    Returns:
        Row numbers (search, held out), each in ascending order.

    Raises:
        DataError: A side would have fewer rows than there are classes, or the table has too few rows.
    """
    strata = _strata(y, task, 2)
    side = _assign(_groups(X, 2), strata, np.array([1 - ml.test_size, ml.test_size]), ml.seed)
    search, held = np.flatnonzero(side == 0), np.flatnonzero(side == 1)
    needed = 1 if task == "regression" else len(np.unique(strata))
    if min(len(search), len(held)) < needed:
        raise DataError(
            f"ml.test_size={ml.test_size:g} of {len(X)} rows leaves {len(search)} rows for the search and {len(held)} "
            f"held out, too few on one side for {needed} classes; set it nearer to 0.2"
        )
    return search, held


def _assign(groups: Index, strata: Index, shares: NDArray[np.float64], seed: int) -> Index:
    """Assigns each row to one of several parts, balanced by rows and by stratum.

    Groups come first, the larger ones before the smaller ones. Each goes to the part where it increases the
    chi-squared distance between the wanted and the actual numbers of rows least. Rows without a group then fill what
    is left of each stratum.

    Args:
        groups: Group of each row, -1 for rows that are assigned one by one, shape (n,).
        strata: Stratum of each row, shape (n,).
        shares: Share of the rows of each part, shape (parts,).
        seed: Seed of the order among groups of like size and among rows.

    Returns:
        Part of each row, shape (n,).
    """
    rng = np.random.default_rng(seed)
    part_of = np.empty(len(groups), dtype=np.int64)
    totals = np.bincount(strata)
    filled = np.zeros((len(shares), len(totals)))
    for rows in _members(groups, rng):
        counts = np.bincount(strata[rows], minlength=len(totals))
        middle = filled + counts / 2
        distance = (middle / totals) @ counts + middle.sum(axis=1) * (len(rows) / len(groups))
        part_of[rows] = part = int(np.argmin(distance / shares))
        filled[part] += counts
    for stratum in range(len(totals)):
        rows = rng.permutation(np.flatnonzero((groups < 0) & (strata == stratum)))
        # the n-th next row of a part lies at this place of the stratum; among equals the emptier part comes first
        places = (filled[:, stratum, None] + np.arange(len(rows)) + 0.5) / shares[:, None]
        fullness = np.broadcast_to((filled.sum(axis=1) / shares)[:, None], places.shape)
        first = np.lexsort((fullness.ravel(), places.ravel()))[: len(rows)]
        part_of[rows] = first // max(len(rows), 1)
        filled[:, stratum] += np.bincount(part_of[rows], minlength=len(shares))
    return part_of


def _members(groups: Index, rng: np.random.Generator) -> Iterator[Index]:
    """Yields the row numbers of each group, larger ones first, in random order within a factor of two."""
    sizes = np.bincount(groups[groups >= 0])
    by_group = np.argsort(groups, kind="stable")[len(groups) - sizes.sum() :]
    ends = np.cumsum(sizes)
    shuffled = rng.permutation(len(sizes))
    for group in shuffled[np.argsort(-np.floor(np.log2(sizes[shuffled])), kind="stable")]:
        yield by_group[ends[group] - sizes[group] : ends[group]]


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
            "merge or leave out rare classes, or lower ml.folds" + (COUNT_HINT if task == "multiclass" else "")
        )
    return y.astype(np.int64)


def _groups(X: NDArray[np.float32], parts: int) -> Index:
    """Numbers the groups of equal rows; -1 for rows that are unique or belong to a large group."""
    words = np.ascontiguousarray(X).view(np.dtype((np.void, X.shape[1] * X.itemsize))).ravel()
    _, groups, sizes = np.unique(words, return_inverse=True, return_counts=True)
    together = (sizes > 1) & (sizes <= max(LARGE_GROUP_SHARE * len(X), LARGE_GROUP_ROWS))
    units = together.sum() + sizes[~together].sum()
    if units < parts:
        raise DataError(
            f"of {len(X)} rows only {units} differ from each other, and equal rows stay in one fold; "
            f"{parts} folds need at least {parts}: add columns that tell rows apart, or lower ml.folds"
        )
    numbers = np.where(together, np.cumsum(together) - 1, -1)
    return np.asarray(numbers[groups], dtype=np.int64)
