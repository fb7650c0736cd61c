"""What the boosted trees share: how many rounds, which rows these are chosen on, and parts of their spaces."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape
from modelyard.plugins.space import Float, Int, Params, Space
from modelyard.plugins.trainers._trees import TreeTrainer

__all__ = [
    "LEARNING_RATE",
    "PATIENCE",
    "SAMPLING",
    "SAMPLING_DEFAULTS",
    "STEP",
    "BoostingTrainer",
    "Rows",
    "default_leaf_rows",
    "leaf_rows",
]

Rows = tuple[Matrix, Labels]

MOST_ROUNDS = 1000
PATIENCE = 50  # rounds without a better validation loss
ROUNDS = 100  # where nothing says how many: what all three libraries take by default

LEARNING_RATE = Float(0.01, 0.3, log=True)
STEP = 0.05  # the default learning rate: half of the libraries', since early stopping finds the rounds it needs
# by the names that LightGBM and XGBoost share
SAMPLING: Space = {
    "colsample_bytree": Float(0.3, 1.0),
    "subsample": Float(0.5, 1.0),
    "reg_alpha": Float(1e-3, 10.0, log=True),
    "reg_lambda": Float(1e-3, 100.0, log=True),
}
SAMPLING_DEFAULTS: Params = {"colsample_bytree": 0.8, "subsample": 0.9, "reg_alpha": 1e-3, "reg_lambda": 1.0}


def leaf_rows(shape: TableShape) -> Int:
    """Returns the fewest rows of a leaf that a search may draw: no more than a tenth of a small table."""
    return Int(2, max(20, min(200, shape.rows // 10)), log=True)


def default_leaf_rows(shape: TableShape) -> int:
    """Returns the libraries' 20, or fewer for a small table."""
    return max(2, min(20, shape.rows // 20))


class BoostingTrainer(TreeTrainer):
    """A trainer that adds trees until the loss on validation rows no longer gets better.

    Attributes:
        rounds_key: What the estimator calls its number of rounds.
    """

    extra = "train"
    rounds_key: ClassVar[str]

    @property
    def stops_early(self) -> bool:
        """Boosting does."""
        return True

    def fit(
        self,
        params: Params,
        X: Matrix,
        y: Labels,
        *,
        shape: TableShape,
        seed: int = 0,
        threads: int = 1,
        validation: Rows | None = None,
        rounds: int | None = None,
    ) -> Fitted:
        """See the base class; the number of rounds in `params` is the most that early stopping may take."""
        if rounds is not None:
            validation = None
        elif validation is not None and shape.classes:
            # the libraries refuse a validation row of a class that no training row has
            known = np.isin(validation[1], y)
            validation = (validation[0][known], validation[1][known]) if known.any() else None
        most = ROUNDS if validation is None else MOST_ROUNDS
        settings = {"random_state": seed, self.rounds_key: most, **params}
        if rounds is not None:
            settings[self.rounds_key] = max(int(rounds), 1)
        return self._boost(settings, (X, y), validation, classify=shape.classes > 0, threads=threads)

    @abstractmethod
    def _boost(
        self, params: dict[str, Any], train: Rows, validation: Rows | None, *, classify: bool, threads: int
    ) -> Fitted:
        """Fits an estimator with `params`; on `validation`, where given, stops early and drops what came after."""
