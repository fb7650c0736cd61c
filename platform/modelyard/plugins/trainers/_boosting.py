"""What the boosted trees share: how many rounds, and which rows they are chosen on."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape
from modelyard.plugins.space import Params
from modelyard.plugins.trainers._trees import TreeTrainer

__all__ = ["PATIENCE", "BoostingTrainer"]

MOST_ROUNDS = 1000
PATIENCE = 50  # rounds without a better validation loss
ROUNDS = 100  # where nothing says how many: what all three libraries take by default


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
        validation: tuple[Matrix, Labels] | None = None,
        rounds: int | None = None,
    ) -> Fitted:
        """See the base class; the number of rounds in `params` is the most that early stopping may take."""
        if rounds is not None:
            validation = None
        elif validation is not None and shape.classes:
            # the libraries refuse a validation row of a class that no training row has
            known = np.isin(validation[1], y)
            validation = (validation[0][known], validation[1][known]) if known.any() else None
        settings = {self.rounds_key: ROUNDS if validation is None else MOST_ROUNDS, **params}
        if rounds is not None:
            settings[self.rounds_key] = max(int(rounds), 1)
        return self._boost(
            settings, X, y, classify=shape.classes > 0, seed=seed, threads=threads, validation=validation
        )

    @abstractmethod
    def _boost(
        self,
        params: dict[str, Any],
        X: Matrix,
        y: Labels,
        *,
        classify: bool,
        seed: int,
        threads: int,
        validation: tuple[Matrix, Labels] | None,
    ) -> Fitted:
        """Fits with the rounds in `params`; on `validation`, where given, stops early and drops what came after."""
