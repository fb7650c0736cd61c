"""A model as its users see it: rows in, labels, probabilities or values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.errors import ContractViolation
from modelyard.plugins.threads import limited_threads, loaded_pools
from modelyard.utils.types import Label

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["Model", "PipelineScorer", "Scorer", "align"]

Scores = NDArray[np.floating]
Scorer = Callable[[NDArray[np.float32]], Scores]


@dataclass
class Model:
    """Contract, encoding and scorer in one.

    Attributes:
        contract: What the rows are.
        scorer: Encoded rows to probabilities (n, classes) or values (n,); compiled or original.
        threshold: Binary models answer the positive class above it.
        name: Name of the model.
        version: Version of the model: the digest of its manifest.
        compiled: Whether the scorer is the compiled graph.
        fitted: The fitted pipeline, where it is at hand.
    """

    contract: Contract
    scorer: Scorer
    threshold: float = 0.5
    name: str = "model"
    version: str = ""
    compiled: bool = False
    fitted: Any = None
    encoder: Encoder = field(init=False)

    def __post_init__(self) -> None:
        self.encoder = Encoder(self.contract)

    def encode(self, rows: Any) -> NDArray[np.float32]:
        """Encodes a frame, a mapping of columns, a sequence of row mappings, or plain rows of values.

        Plain rows (a 2-D array or a sequence of sequences) have the contract's columns in its order.

        Raises:
            ContractViolation: A column is missing, a row has another width, or a value is of another kind.
        """
        if hasattr(rows, "columns") or isinstance(rows, Mapping):
            return self.encoder.encode(rows)
        if len(rows) and isinstance(rows[0], Mapping):
            return self.encoder.encode_rows(rows)
        names = self.contract.names
        if not (isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == len(names)):
            rows = _table(rows, len(names))
        return self.encoder.encode({name: rows[:, i] for i, name in enumerate(names)})

    def predict_proba(self, rows: Any) -> Scores:
        """Returns probabilities, shape (n, classes), in the order of ``contract.target.classes``."""
        return self.scorer(self.encode(rows))

    def predict(self, rows: Any) -> NDArray[Any]:
        """Returns labels as in the training table, or values, shape (n,)."""
        return self.decide(self.scorer(self.encode(rows)))

    def decide(self, scores: Scores) -> NDArray[Any]:
        """Turns scores into labels; values stay what they are."""
        classes = self.contract.target.classes
        return _labels(classes)[self.codes(scores)] if classes else scores

    def codes(self, scores: NDArray[np.floating]) -> NDArray[np.int64]:
        """Turns probabilities, shape (n, classes), into codes of classes, shape (n,)."""
        binary = len(self.contract.target.classes) == 2
        return (scores[:, 1] > self.threshold if binary else scores.argmax(axis=1)).astype(np.int64)


@dataclass(frozen=True)
class PipelineScorer:
    """Scores with the fitted pipeline itself, on one thread.

    Scikit-learn's boosting waits for its threads at every tree, which where cores are busy takes many times longer.

    Attributes:
        pipeline: Has ``predict``, and ``predict_proba`` for classification.
        classes: Number of classes; 0 for regression.
    """

    pipeline: Any
    classes: int

    def __call__(self, matrix: NDArray[np.float32]) -> Scores:
        """Returns probabilities (n, classes) or values (n,), float64.

        Args:
            matrix: Encoded rows, float32, shape (n, features).
        """
        with limited_threads(1, self._pools):
            if not self.classes:
                return np.asarray(self.pipeline.predict(matrix), dtype=np.float64).ravel()
            return align(self.pipeline.predict_proba(matrix), self.pipeline.classes_, self.classes)

    @cached_property
    def _pools(self) -> ThreadpoolController:
        return loaded_pools()


def align(probabilities: Scores, seen: NDArray[Any], classes: int) -> Scores:
    """Widens the probabilities of a fit that did not see every class; unseen ones get 0."""
    if probabilities.shape[1] == classes:
        return np.asarray(probabilities, dtype=np.float64)
    wide = np.zeros((len(probabilities), classes))
    wide[:, np.asarray(seen, dtype=np.int64)] = probabilities
    return wide


def _table(rows: Sequence[Any], width: int) -> NDArray[Any]:
    """Rows of values as an array of objects, so that each value keeps its type."""
    table = np.empty((len(rows), width), dtype=object)
    for number, row in enumerate(rows):
        if isinstance(row, str) or not hasattr(row, "__len__"):
            raise ContractViolation([f"row {number + 1} is {row!r} where a sequence of {width} values is expected"])
        if len(row) != width:
            raise ContractViolation([f"row {number + 1} has {len(row)} values where {width} are expected"])
        table[number] = list(row)
    return table


def _labels(classes: tuple[Label, ...]) -> NDArray[Any]:
    """An array of the labels in their own type; mixed ones stay objects."""
    kinds = {type(label) for label in classes}
    return np.array(classes) if len(kinds) == 1 else np.array(classes, dtype=object)
