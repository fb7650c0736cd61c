"""What a model has to beat: a dummy that knows only the target, and a linear model as it comes."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass

from modelyard.errors import PluginError, TrainingError
from modelyard.models.figures import Figure
from modelyard.models.folds import Folds
from modelyard.models.intervals import bootstrap, paired_bootstrap
from modelyard.models.model import PipelineScorer, Scores
from modelyard.models.training import fit_rows
from modelyard.plugins.registry import get_trainer

__all__ = ["Baseline", "measure_baselines"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Baseline:
    """A simple model's score on the held-out rows, and how far the model is from it.

    Attributes:
        name: dummy or linear.
        score: Its score.
        difference: Model minus baseline on the same rows, with its paired bootstrap interval.
    """

    name: str
    score: Figure
    difference: Figure


def measure_baselines(
    folds: Folds,
    X: NDArray[np.float32],
    y: NDArray[np.int64] | NDArray[np.float64],
    scores: Scores,
    *,
    threads: int = 1,
) -> tuple[Baseline, ...]:
    """Fits the baselines on the search rows and scores them on the held-out ones.

    A linear model that cannot be fitted is left out with a warning; it must not cost the run.

    Args:
        folds: The search rows.
        X: Encoded held-out rows, shape (n, features).
        y: Their class codes or values, shape (n,).
        scores: The model's probabilities (n, classes) or values (n,) of these rows.
        threads: How many a fit may use.
    """
    answers = {"dummy": _dummy(folds, len(y))}
    try:
        trainer = get_trainer("linear")
        fitted = fit_rows(trainer, trainer.defaults(folds.shape), folds, threads=threads)
        answers["linear"] = PipelineScorer(fitted.pipeline, folds.shape.classes)(X)
    except (TrainingError, PluginError) as error:
        logger.warning("no linear baseline: %s", error)
    found = []
    for name, answer in answers.items():
        figures = bootstrap(y, answer, (folds.metric,), seed=folds.seed)
        if folds.metric in figures:
            difference = paired_bootstrap(y, scores, answer, folds.metric, seed=folds.seed)
            found.append(Baseline(name, figures[folds.metric], Figure(*difference)))
    return tuple(found)


def _dummy(folds: Folds, rows: int) -> Scores:
    """The classes' shares, or the mean value."""
    if not folds.shape.classes:
        return np.full(rows, float(np.mean(folds.y)))
    shares = np.bincount(folds.y.astype(np.int64), minlength=folds.shape.classes) / len(folds.y)
    return np.tile(shares, (rows, 1))
