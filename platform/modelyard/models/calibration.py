"""Calibration of probabilities, and the threshold of a binary decision, both from out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import TrainingError
from modelyard.models.decisions import ClassCounts, DecisionMetric, balanced_accuracy

__all__ = ["CLIP", "CalibratedScorer", "Calibration", "tuned_threshold"]

Scores = NDArray[np.floating]

# a float32 probability closer to 0 or 1 has no relative precision left that a logarithm could be taken of
CLIP = 1e-5
# within these a compiled model's last bit stays below the tolerance of parity
MIN_SCALE, MAX_SCALE = 0.5, 10.0


@dataclass(frozen=True)
class Calibration:
    """Softmax of ``scale * log(p) + bias``.

    For two classes that is Platt scaling of the logit (Platt, 1999; Niculescu-Mizil and Caruana, 2005), for
    more it is temperature scaling with a bias for each class (Guo et al., 2017; Alexandari et al., 2020).

    Attributes:
        scale: What the log-probabilities are multiplied by: the inverse temperature.
        bias: What each class's is shifted by; the first is 0.
    """

    scale: float
    bias: tuple[float, ...]

    @classmethod
    def fit(cls, y: NDArray[np.integer[Any]], oof: Scores) -> Calibration:
        """Minimizes the log loss of out-of-fold predictions.

        Args:
            y: Class codes, shape (n,).
            oof: Probabilities, shape (n, classes); rows with NaN, which no split validated, are left out.

        Raises:
            TrainingError: No row has a prediction.
        """
        from scipy.optimize import minimize  # a service that applies a calibration has no SciPy

        known = np.isfinite(oof).all(axis=1)
        codes, logs = np.asarray(y)[known].astype(np.int64), _logs(oof[known])
        count, classes = logs.shape
        if not count:
            raise TrainingError("nothing can be calibrated: no row has an out-of-fold prediction")
        truth = np.eye(classes)[codes]

        def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            p = _softmax(theta[0] * logs + np.concatenate([[0.0], theta[1:]]))
            slope = (p - truth) / count
            # a class without rows would send its bias to minus infinity
            ridge = 1e-6
            value = -np.mean(np.log(np.maximum(p[np.arange(count), codes], 1e-300))) + ridge * theta[1:] @ theta[1:]
            gradient = np.concatenate([[np.sum(slope * logs)], slope.sum(axis=0)[1:] + 2 * ridge * theta[1:]])
            return float(value), gradient

        start = np.concatenate([[1.0], np.zeros(classes - 1)])
        bounds = [(MIN_SCALE, MAX_SCALE)] + [(-10.0, 10.0)] * (classes - 1)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        return cls(float(found[0]), (0.0, *map(float, found[1:])))

    def apply(self, probabilities: Scores) -> NDArray[np.float64]:
        """Returns calibrated probabilities, shape (n, classes)."""
        return _softmax(self.scale * _logs(probabilities) + np.asarray(self.bias))


@dataclass(frozen=True)
class CalibratedScorer:
    """The original scorer with its probabilities calibrated.

    Attributes:
        scorer: Encoded rows to probabilities.
        calibration: What is done to them.
    """

    scorer: Callable[[NDArray[np.float32]], Scores]
    calibration: Calibration

    def __call__(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns calibrated probabilities, shape (n, classes)."""
        return self.calibration.apply(self.scorer(matrix))


def tuned_threshold(
    y: NDArray[np.integer[Any]], oof_positive: Scores, metric: DecisionMetric = balanced_accuracy
) -> float:
    """Returns the threshold above which the positive class scores best out of fold.

    Args:
        y: Class codes 0 and 1, shape (n,).
        oof_positive: Probability of the positive class, shape (n,); NaN rows are left out.
        metric: Metric of the decisions; greater is better.

    Returns:
        A value halfway between two probabilities that occur, so that the compiled model decides alike; 0.5 where
        there is nothing to choose.
    """
    known = np.isfinite(oof_positive)
    truth, p = np.asarray(y)[known] == 1, np.asarray(oof_positive, dtype=np.float64)[known]
    levels = np.unique(p)
    if len(levels) < 2 or len(np.unique(truth)) < 2:
        return 0.5
    cuts = (levels[1:] + levels[:-1]) / 2
    utility = metric(_decisions_at(cuts, truth, p))
    best = np.flatnonzero(utility >= utility.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - 0.5))]])


def _decisions_at(cuts: Scores, truth: NDArray[np.bool_], p: Scores) -> ClassCounts:
    """Counts rows by class for every threshold at once."""
    positive, negative = np.sort(p[truth]), np.sort(p[~truth])
    below = np.stack([np.searchsorted(side, cuts, side="right") for side in (negative, positive)], axis=1)
    actual = np.broadcast_to(np.array([len(negative), len(positive)], dtype=np.float64), below.shape)
    hits = np.stack([below[:, 0], len(positive) - below[:, 1]], axis=1).astype(np.float64)
    predicted = np.stack([below.sum(axis=1), len(p) - below.sum(axis=1)], axis=1).astype(np.float64)
    return ClassCounts(hits, actual, predicted)


def _logs(probabilities: Scores) -> NDArray[np.float64]:
    return np.log(np.clip(np.asarray(probabilities, dtype=np.float64), CLIP, 1.0))


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return result
