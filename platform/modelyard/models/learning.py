"""The learning curve: what more rows would be worth.

The winner's configuration is fitted again on shares of the search rows and scored on the held-out ones. A
search's own rungs cannot tell: the configurations that reach a higher one are better ones, so their scores
rise even where more rows change nothing.
"""

from __future__ import annotations

import logging
import time

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from modelyard.errors import TrainingError
from modelyard.models.figures import Figure
from modelyard.models.folds import Folds
from modelyard.models.intervals import bootstrap
from modelyard.models.model import PipelineScorer
from modelyard.models.training import Configuration, fit_rows
from modelyard.plugins.registry import get_trainer

__all__ = ["LearningPoint", "learning_curve"]

logger = logging.getLogger(__name__)

SHARES = (0.1, 0.25, 0.5)
FEWEST_ROWS = 40


@dataclass(frozen=True)
class LearningPoint:
    """The score of the winner's configuration after fewer rows.

    Attributes:
        rows: Number of rows it was fitted on.
        score: On the held-out rows.
    """

    rows: int
    score: Figure


def learning_curve(
    configuration: Configuration,
    folds: Folds,
    X: NDArray[np.float32],
    y: NDArray[np.int64] | NDArray[np.float64],
    *,
    rounds: int | None = None,
    threads: int = 1,
    seconds: float = 10.0,
) -> tuple[LearningPoint, ...]:
    """Fits the configuration on a tenth, a quarter and half of the search rows.

    Args:
        configuration: The winner's; the same for every share, its boosting rounds too.
        folds: The search rows.
        X: Encoded held-out rows, shape (n, features).
        y: Their class codes or values, shape (n,).
        rounds: Boosting rounds of the winner.
        threads: How many a fit may use.
        seconds: Stops before a fit that would end later than this; the smallest one is always made.

    Returns:
        The points that the time allowed, in ascending order; without the model's own on all rows.
    """
    start, last = time.perf_counter(), 0.0
    order = _even_order(folds)
    points: list[LearningPoint] = []
    for share in SHARES:
        rows = order[: round(len(order) * share)]
        if len(rows) < FEWEST_ROWS or (folds.shape.classes and len(np.unique(folds.y[rows])) < folds.shape.classes):
            continue
        began = time.perf_counter()
        # shares grow about twofold from one point to the next, and so does the time of a fit
        if last and began - start + 2 * last > seconds:
            break
        try:
            trainer = get_trainer(configuration.algorithm)
            fitted = fit_rows(trainer, configuration.params, folds, rows, threads=threads, rounds=rounds)
        except TrainingError as error:
            logger.warning("no point of the learning curve at %d rows: %s", len(rows), error)
            continue
        answers = PipelineScorer(fitted.pipeline, folds.shape.classes)(X)
        points.extend(
            LearningPoint(len(rows), figure)
            for figure in bootstrap(y, answers, (folds.metric,), seed=folds.seed).values()
        )
        last = time.perf_counter() - began
    return tuple(points)


def _even_order(folds: Folds) -> NDArray[np.int64]:
    """Shuffled row numbers of which every prefix has about the same share of each class."""
    rng = np.random.default_rng(folds.seed)
    place = rng.random(len(folds.y))
    if folds.shape.classes:
        for code in range(folds.shape.classes):
            members = rng.permutation(np.flatnonzero(folds.y == code))
            place[members] = (np.arange(len(members)) + rng.random(len(members))) / len(members)
    return np.argsort(place).astype(np.int64)
