"""Fits with a standardized regression target.

Trainers see targets of mean 0 and standard deviation 1. Some libraries keep the target in float32, and compiled trees
add up float32 leaves: with a mean far from 0, both lose the digits in which the rows differ.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.scale import TargetScale

if TYPE_CHECKING:
    from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape, TabularTrainer
    from modelyard.plugins.space import Params

__all__ = ["StandardizedRegressor", "fit_standardized", "trainer_part"]

LOSS_PARAMS = frozenset({"app", "application", "criterion", "loss", "objective", "objective_type"})
# losses that depend on where zero is: a standardized target is negative in about half of its rows
LOSSES_IN_UNITS = re.compile("poisson|gamma|tweedie|mape|percentage|log|entropy|survival")


@dataclass(frozen=True)
class StandardizedRegressor:
    """A pipeline that was fitted on a standardized target and predicts in the target's unit.

    Attributes:
        pipeline: What the trainer fitted; its ``predict`` returns standardized values.
        scale: Restores them.
    """

    pipeline: Any
    scale: TargetScale

    def predict(self, X: Matrix) -> NDArray[np.float64]:
        """Returns values in the target's unit, shape (n,)."""
        return self.scale.restore(np.ravel(self.pipeline.predict(X)))


def fit_standardized(
    trainer: TabularTrainer,
    params: Params,
    X: Matrix,
    y: Labels,
    *,
    shape: TableShape,
    validation: tuple[Matrix, Labels] | None = None,
    **options: Any,
) -> Fitted:
    """Fits a trainer; for regression on the standardized target, with a pipeline that predicts in the target's unit.

    Args:
        trainer: Fits.
        params: Parameters of the estimator.
        X: Encoded rows, shape (n, len(shape.features)).
        y: Class codes, or values in the target's unit, shape (n,).
        shape: What the columns are.
        validation: Rows to stop early on, their labels as `y`.
        **options: Further arguments of `TabularTrainer.fit`.

    Raises:
        ValueError: A loss in `params` needs the target in its own unit.
        Exception: Whatever the library below raises.
    """
    if shape.classes:
        return trainer.fit(params, X, y, shape=shape, validation=validation, **options)
    for name, value in params.items():
        if name in LOSS_PARAMS and LOSSES_IN_UNITS.search(str(value)):
            raise ValueError(
                f"{name}={value!r} needs the target in its own unit, but regression targets are standardized before "
                "a fit; use a squared, absolute, huber or quantile loss"
            )
    scale = TargetScale.of(y)
    if validation is not None:
        validation = (validation[0], scale.standardize(validation[1]))
    fitted = trainer.fit(params, X, scale.standardize(y), shape=shape, validation=validation, **options)
    return replace(fitted, pipeline=StandardizedRegressor(fitted.pipeline, scale))


def trainer_part(fitted: Fitted) -> Fitted:
    """Returns what the trainer itself fitted, for its ``convert`` and ``cost``."""
    pipeline = fitted.pipeline
    return replace(fitted, pipeline=pipeline.pipeline) if isinstance(pipeline, StandardizedRegressor) else fitted
