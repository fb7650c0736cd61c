"""Parity: whether a compiled model answers as its original does, row by row.

Both score the same float32 rows: held-out ones, a sample of the search rows, and rows drawn from the contract, within
the columns' ranges and beyond them, with nulls and unknown categories. Any row beyond the tolerance is a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import LARGEST, Encoder, features_of
from modelyard.data.scale import TargetScale
from modelyard.models.model import PipelineScorer
from modelyard.utils.types import Task

__all__ = ["DRAWN_ROWS", "Parity", "Tolerances", "check_parity", "draw_rows"]

Matrix = NDArray[np.float32]
Score = Callable[[Matrix], NDArray[np.floating]]

DRAWN_ROWS = SEARCH_ROWS = 10_000
# of the drawn rows that lie beyond the ranges, and of the numbers and dates of such a row that do
BEYOND_SHARE, BEYOND_VALUES_SHARE = 0.1, 0.5
NULL_SHARE = UNKNOWN_SHARE = EDGE_SHARE = 0.1
FLOAT32_EPSILON = float(np.finfo(np.float32).eps)
UNKNOWN = "\0unknown"  # no table's category


class Tolerances(BaseModel):
    """How far the two may be apart.

    Attributes:
        probability: Largest difference of a probability.
        value: Largest difference of a value, as a share of max(its distance from the target's mean, the target's
            standard deviation). Besides, an answer in float32 may differ by its rounding: 2**-23 of the value.
        tie: Labels may differ where the two best probabilities are within this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    probability: float = 1e-5
    value: float = 1e-5
    tie: float = 2e-5


class Parity(BaseModel):
    """What the comparison came to.

    Attributes:
        passed: No row is beyond the tolerances.
        rows: Rows that were compared.
        held_out: How many of them are held-out rows.
        search: How many of them are search rows; the others were drawn.
        failures: Rows beyond the tolerances.
        label_failures: Those of them whose label differs.
        worst_difference: Largest difference, in the unit of its tolerance; of values, beyond the rounding.
        worst_row: The row it occurred in: encoded value by feature, None for a null.
        tolerances: What was allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    passed: bool
    rows: int
    held_out: int
    search: int = 0
    failures: int
    label_failures: int = 0
    worst_difference: float
    worst_row: dict[str, float | None]
    tolerances: Tolerances = Field(default_factory=Tolerances)


def draw_rows(contract: Contract, n: int = DRAWN_ROWS, seed: int = 0, *, beyond: bool = False) -> Matrix:
    """Draws encoded rows within the contract's ranges, with nulls and unknown categories.

    Args:
        contract: Gives ranges and vocabularies; integer columns get whole numbers.
        n: Number of rows.
        seed: The same seed draws the same rows.
        beyond: Whether half of the numbers and dates lie beyond their column's range, by up to its width.

    Returns:
        A matrix of shape (n, features). Nulls occur in every column, also in those that had none in
        training: a service may get them.
    """
    rng = np.random.default_rng(seed)
    encoder = Encoder(contract)
    share = BEYOND_VALUES_SHARE if beyond else 0.0
    drawn = {column.name: _draw(column, n, rng, share) for column in contract.columns}
    return encoder.encode(drawn)


def check_parity(
    original: Score,
    compiled: Score,
    held_out: Matrix,
    contract: Contract,
    task: Task,
    *,
    search: Matrix | None = None,
    drawn: int = DRAWN_ROWS,
    seed: int = 0,
    tolerances: Tolerances | None = None,
) -> Parity:
    """Compares two scorers on rows of the table and on drawn ones.

    Args:
        original: Scores with the fitted pipeline: probabilities (n, classes) or values (n,).
        compiled: Scores with the compiled model.
        held_out: Encoded rows, shape (n, features).
        contract: What further rows are drawn from.
        task: Decides what is compared.
        search: Encoded rows of which at most 10,000 are sampled, shape (n, features).
        drawn: How many rows are drawn, a tenth of them beyond the ranges.
        seed: Seed of the sample and the draw.
        tolerances: How far the two may be apart.
    """
    allowed = tolerances or Tolerances()
    sample = held_out[:0] if search is None else _sample(search, seed)
    outside = round(BEYOND_SHARE * drawn)
    inside, beyond = draw_rows(contract, drawn - outside, seed), draw_rows(contract, outside, seed, beyond=True)
    matrix = np.concatenate([held_out, sample, inside, beyond], dtype=np.float32)
    expected = np.asarray(original(matrix), dtype=np.float64)
    got = np.asarray(compiled(matrix), dtype=np.float64)
    if expected.shape != got.shape:
        # no row can be compared: all are wrong
        expected, got = np.zeros(len(matrix)), np.full(len(matrix), np.nan)
        task = "regression"
    labels = np.zeros(len(matrix), dtype=bool)
    if task == "regression":
        scale = original.scale if isinstance(original, PipelineScorer) else None
        may_round = _float32_suffices(expected, contract.target) if scale is None else scale.dtype == np.float32
        scale = scale or TargetScale.of(expected[: len(matrix) - outside])
        difference = _value_difference(expected, got, scale, FLOAT32_EPSILON if may_round else 0.0)
        limit = allowed.value
    else:
        difference = np.abs(got - expected).max(axis=1)
        limit = allowed.probability
        labels = _labels_differ(expected, got, allowed.tie)
    # a NaN is as far from an answer as can be
    difference = np.nan_to_num(difference, nan=np.inf)
    failed = (difference > limit) | labels
    worst = int(difference.argmax())
    features = features_of(contract)
    return Parity(
        passed=not failed.any(),
        rows=len(matrix),
        held_out=len(held_out),
        search=len(sample),
        failures=int(failed.sum()),
        label_failures=int(labels.sum()),
        worst_difference=float(min(difference[worst], np.finfo(np.float64).max)),
        worst_row={each.name: _number(value) for each, value in zip(features, matrix[worst], strict=True)},
        tolerances=allowed,
    )


def _sample(rows: Matrix, seed: int) -> Matrix:
    if len(rows) <= SEARCH_ROWS:
        return rows
    return rows[np.random.default_rng(seed).choice(len(rows), SEARCH_ROWS, replace=False)]


def _float32_suffices(expected: NDArray[np.float64], target: Target) -> bool:
    """Whether float32 tells values apart by a thousandth of the target's range, where its scale is not known.

    The answers' own standard deviation does not say: that of a weak model is far below the target's.
    """
    if target.minimum is None or target.maximum is None:
        return TargetScale.of(expected).dtype == np.float32
    return FLOAT32_EPSILON * float(np.abs(expected).max()) <= 1e-3 * (target.maximum - target.minimum)


def _value_difference(
    expected: NDArray[np.float64], got: NDArray[np.float64], scale: TargetScale, rounding: float
) -> NDArray[np.float64]:
    """Differences as shares of max(distance from the mean, standard deviation).

    Args:
        expected: The original's values, shape (n,).
        got: The compiled model's.
        scale: Of the target.
        rounding: Allowed besides, as a share of the value. 0 where a model must answer in float64: rounding to float32
            could exceed the standard deviation.
    """
    unit = np.maximum(np.abs(expected - scale.mean), scale.std)
    difference: NDArray[np.float64] = np.maximum(np.abs(got - expected) - rounding * np.abs(expected), 0.0) / unit
    return difference


def _labels_differ(expected: NDArray[np.float64], got: NDArray[np.float64], tie: float) -> NDArray[np.bool_]:
    best = np.sort(expected, axis=1)
    clear = best[:, -1] - best[:, -2] > tie
    differ: NDArray[np.bool_] = clear & (expected.argmax(axis=1) != got.argmax(axis=1))
    return differ


def _draw(column: Column, n: int, rng: np.random.Generator, beyond_share: float) -> NDArray[Any]:
    null = rng.random(n) < NULL_SHARE
    if column.kind == "categorical":
        unknown = (rng.random(n) < UNKNOWN_SHARE) | (not column.vocabulary)
        values = np.array([*column.vocabulary, UNKNOWN], dtype=object)[rng.integers(0, len(column.vocabulary) + 1, n)]
        values[unknown] = UNKNOWN
        values[null] = None
        return values
    if column.kind == "boolean":
        return np.where(null, np.nan, rng.integers(0, 2, n))
    if column.minimum is None or column.maximum is None:
        return np.full(n, np.nan)
    # as many from each quantile bin: a long tail would otherwise take nearly all draws
    edges = np.array([column.minimum, *column.bins, column.maximum])
    lower = rng.integers(0, len(edges) - 1, n)
    drawn = edges[lower] + rng.random(n) * (edges[lower + 1] - edges[lower])
    drawn = np.where(rng.random(n) < EDGE_SHARE, edges[lower], drawn)
    if beyond_share:
        low, high = np.clip((column.minimum, column.maximum), -LARGEST, LARGEST)
        distance = (high - low) * rng.random(n)
        outside = np.where(rng.random(n) < 0.5, low - distance, high + distance)
        drawn = np.where(rng.random(n) < beyond_share, outside, drawn)
    if column.kind == "datetime":
        dates = np.round(drawn * 1e6).astype("datetime64[us]")
        dates[null] = np.datetime64("NaT")
        return dates
    return np.where(null, np.nan, np.round(drawn) if column.integer else drawn)


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
