"""Columns that know the target: what one column alone explains of it, out of sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder

__all__ = ["explained_shares"]

MIN_ROWS, MAX_ROWS, MAX_CELLS = 1000, 5000, 100_000


def explained_shares(rows: pd.DataFrame, codes: NDArray[Any], contract: Contract, seed: int = 0) -> dict[str, float]:
    """Measures how much of the target each column explains by itself.

    A tree on one column is fitted to half of a sample and scored on the other half, both ways. Its score is the
    share of the variance explained: of the classes' indicators (the Brier skill score), or of a regression target's
    ranks, which finds a copy through any monotone function and does not hang on a few large values.

    Args:
        rows: Rows that fit the contract, shape (n, ...).
        codes: Their encoded target, shape (n,).
        contract: Says what the columns are.
        seed: Of the sample.

    Returns:
        By column, 1 for a perfect prediction, 0 or below for none.
    """
    encoder = Encoder(contract)
    size = min(max(MAX_CELLS // len(encoder.features), MIN_ROWS), MAX_ROWS)
    chosen = np.random.default_rng(seed).permutation(len(rows))[:size]
    if len(chosen) < 4:
        return {}
    matrix = encoder.encode(rows.iloc[chosen])
    goal = _goal(codes[chosen], contract)
    halves = np.arange(len(chosen)) % 2 == 0
    best: dict[str, float] = {}
    for feature, values in zip(encoder.features, matrix.T, strict=True):
        share = _explained(values, goal, halves)
        best[feature.column] = max(share, best.get(feature.column, -np.inf))
    return best


def _goal(codes: NDArray[Any], contract: Contract) -> NDArray[np.float64]:
    if contract.target.task == "regression":
        _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
        ranks: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
        return ranks[place].reshape(-1, 1)
    indicators: NDArray[np.float64] = np.eye(len(contract.target.classes))[codes]
    return indicators


def _explained(values: NDArray[np.float32], goal: NDArray[np.float64], halves: NDArray[np.bool_]) -> float:
    error = spread = 0.0
    for train in (halves, ~halves):
        tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=0).fit(values[train, None], goal[train])
        seen = goal[~train]
        guess = tree.predict(values[~train, None]).reshape(seen.shape)
        error += float(((seen - guess) ** 2).sum())
        spread += float(((seen - goal[train].mean(axis=0)) ** 2).sum())
    return 1.0 - error / spread if spread > 0 else 0.0
