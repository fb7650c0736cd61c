"""Predicted rows by column and bin, beside the shares that training had: what drift is told from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge

from modelyard.data.cells import Cells, bin_names, count_predictions
from modelyard.data.contract import Contract, Target

__all__ = ["PREDICTION", "CellMetrics", "PredictedCells"]

# the prediction is one more column; no column of a table is likely to be called this
PREDICTION = "(prediction)"
LABELS = ("contract_digest", "column", "bin")


class PredictedCells:
    """The cells of a contract's columns and of its prediction.

    Args:
        contract: What the columns are, and how training's rows were spread.
        predicted: Share of the predictions on held-out rows by class or by bin of the target; none: not known.

    Attributes:
        names: Column and bin of each cell.
        expected: Share of the training rows in each; of predictions, of the held-out rows.
    """

    def __init__(self, contract: Contract, predicted: Sequence[float] = ()) -> None:
        self._cells = Cells(contract)
        self._target = contract.target if predicted else None
        named = _prediction_names(contract.target) if predicted else []
        self.names = [*self._cells.names, *((PREDICTION, name) for name in named)]
        self.expected = [*self._cells.expected, *predicted]

    def count(self, matrix: NDArray[np.float32], predicted: NDArray[np.generic]) -> NDArray[np.int64]:
        """Counts rows in each cell.

        Args:
            matrix: Encoded, shape (n, features).
            predicted: Codes of the classes, or values, n of them.
        """
        counts = self._cells.count(matrix)
        if self._target is None:
            return counts
        return np.concatenate([counts, count_predictions(self._target, predicted)])


class CellMetrics:
    """The counters of one contract.

    Args:
        registry: Where they are exposed.
        contract: As `PredictedCells` takes it.
        predicted: As `PredictedCells` takes them.
    """

    def __init__(self, registry: CollectorRegistry, contract: Contract, predicted: Sequence[float] = ()) -> None:
        self._cells = PredictedCells(contract, predicted)
        rows = Counter("modelyard_drift_rows_total", "Predicted rows by column and bin.", LABELS, registry=registry)
        shares = Gauge(
            "modelyard_drift_expected_share",
            "Share of the training rows by column and bin; of predictions, on held-out rows.",
            LABELS,
            registry=registry,
            # one figure for all workers, without a label for each
            multiprocess_mode="max",
        )
        digest = contract.digest
        self._rows = [rows.labels(digest, *name) for name in self._cells.names]
        for name, share in zip(self._cells.names, self._cells.expected, strict=True):
            shares.labels(digest, *name).set(share)

    def count(self, matrix: NDArray[np.float32], predicted: NDArray[np.generic]) -> None:
        """Counts rows, as `PredictedCells` does."""
        counts = self._cells.count(matrix, predicted)
        for place in np.flatnonzero(counts).tolist():
            self._rows[place].inc(int(counts[place]))


def _prediction_names(target: Target) -> list[str]:
    return [str(label) for label in target.classes] or bin_names([f"{edge!r}" for edge in target.bins])
