"""Reference rows: encoded rows with the answers of the fitted pipeline, to verify a model without unpickling anything.

They are stored beside the model as one float64 array in NumPy's format: the features of each row, then its answers.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Contract
from modelyard.data.encoding import features_of
from modelyard.errors import ModelError
from modelyard.models.model import Scorer
from modelyard.models.parity import Parity, check_parity, draw_rows

__all__ = ["REFERENCE_ROWS", "Reference"]

REFERENCE_ROWS = 200


@dataclass(frozen=True)
class Reference:
    """Rows and what the fitted pipeline answered.

    Attributes:
        rows: Encoded rows with nulls and unknown categories, float32, shape (n, features).
        answers: Probabilities (n, classes) in the contract's order, or values (n, 1); float64.
    """

    rows: NDArray[np.float32]
    answers: NDArray[np.float64]

    @classmethod
    def draw(cls, original: Scorer, contract: Contract) -> Self:
        """Draws rows from a contract and scores them; the same model always gives the same reference.

        Args:
            original: Scores with the fitted pipeline, its calibration included.
            contract: What the rows are drawn from.
        """
        import joblib  # comes with scikit-learn, which a service does not have

        rows = draw_rows(contract, REFERENCE_ROWS)
        # threads of a forest add its trees in any order, which changes the last bit
        with joblib.parallel_config(backend="sequential"):
            answers = np.asarray(original(rows), dtype=np.float64)
        return cls(rows, answers.reshape(len(rows), -1))

    def to_bytes(self) -> bytes:
        """Returns the content of the reference's file."""
        buffer = io.BytesIO()
        np.save(buffer, np.hstack([self.rows.astype(np.float64), self.answers]), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, contract: Contract) -> Self:
        """Reads what `to_bytes` wrote.

        Raises:
            ModelError: The content is no reference of this contract.
        """
        features, answers = len(features_of(contract)), len(contract.target.classes) or 1
        try:
            table = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError, OSError, MemoryError) as error:
            raise ModelError(f"the reference rows cannot be read: {error}") from None
        if not isinstance(table, np.ndarray) or table.dtype != np.float64 or table.ndim != 2:
            raise ModelError("the reference rows are not one table of float64")
        if table.shape[1] != features + answers or not len(table):
            raise ModelError(
                f"the reference has {len(table)} rows of {table.shape[1]} values; "
                f"the contract has {features} features and {answers} answers"
            )
        return cls(table[:, :features].astype(np.float32), table[:, features:])

    def compare(self, scorer: Scorer, contract: Contract) -> Parity:
        """Compares a scorer's answers with the stored ones, within the tolerances of parity."""
        answers = self.answers if contract.target.classes else self.answers[:, 0]
        return check_parity(lambda _: answers, scorer, self.rows, contract, contract.target.task, drawn=0)
