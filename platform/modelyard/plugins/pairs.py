"""Trainers outside of a search: a pair (X, y) in, a model of labels or values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.pairs import as_frame, infer_pair
from modelyard.data.target import split_target
from modelyard.plugins.base import TableShape, TabularTrainer
from modelyard.plugins.standardization import fit_standardized

__all__ = ["PairModel", "fit_pair"]


@dataclass(frozen=True)
class PairModel:
    """A fitted pipeline behind the encoding of its table, with the interface of a scikit-learn estimator.

    Attributes:
        contract: Columns and target of the table.
        pipeline: What the trainer fitted, on encoded rows and class codes.
    """

    contract: Contract
    pipeline: Any

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in ascending order, shape (classes,); empty for regression."""
        return np.unique(self._labels)

    def predict(self, X: Any) -> NDArray[Any]:
        """Returns labels or values, shape (n,), of rows with the columns that the trainer was given.

        Raises:
            ContractViolation: The rows do not fit the contract.
        """
        predicted = np.ravel(self.pipeline.predict(self._encode(X)))
        return self._labels[predicted.astype(np.int64)] if self.contract.target.classes else predicted

    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Returns probabilities, shape (n, classes), in the order of `classes_`.

        Raises:
            ContractViolation: The rows do not fit the contract.
        """
        probabilities: NDArray[np.floating] = self.pipeline.predict_proba(self._encode(X))
        return probabilities[:, np.argsort(self._labels, kind="stable")]

    @property
    def _labels(self) -> NDArray[Any]:
        return np.array(self.contract.target.classes)

    def _encode(self, X: Any) -> NDArray[np.float32]:
        return Encoder(self.contract).encode(as_frame(X)[0])


def fit_pair(
    trainer: TabularTrainer, X: Any, y: Any, config: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, float]]:
    """Infers a contract from a pair and fits a trainer to it.

    Args:
        trainer: Fits.
        X: Frame, or array or sequence of rows, shape (n, columns); texts and nulls are encoded.
        y: Labels or values, shape (n,); rows without one are dropped.
        config: May hold ``task``, ``params`` and ``seed``.

    Returns:
        The ``model``, a `PairModel`, with its ``classes``, and its accuracy or R2 on the rows it was fitted to.

    Raises:
        ModelyardError: The data cannot be used.
        Exception: Whatever the library below raises.
    """
    frame, contract = infer_pair(X, y, config.get("task"))
    rows, target = split_target(frame, contract)
    encoder, classes = Encoder(contract), len(contract.target.classes)
    matrix = encoder.encode(rows)
    shape = TableShape(contract.target.task, classes, encoder.features, len(matrix))
    params = {**trainer.defaults(shape), **config.get("params", {})}
    fitted = fit_standardized(trainer, params, matrix, target, shape=shape, seed=int(config.get("seed", 0)))
    predicted = np.ravel(fitted.pipeline.predict(matrix))
    figures = {"train_accuracy": float(np.mean(predicted == target))} if classes else _r2(predicted, target)
    model = PairModel(contract, fitted.pipeline)
    return {"model": model, "classes": model.classes_.tolist()}, figures


def _r2(predicted: NDArray[Any], y: NDArray[Any]) -> dict[str, float]:
    residual = float(np.sum((y - predicted) ** 2))
    return {"train_r2": 1.0 - residual / max(float(np.sum((y - np.mean(y)) ** 2)), 1e-300)}
