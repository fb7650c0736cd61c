"""The one way from a request to an answer, for FastAPI and BentoML alike."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from modelyard.api.decoding import Decoder, Table
from modelyard.api.models import class_text
from modelyard.models.model import Model
from modelyard.monitoring.metrics import PredictionMetrics

__all__ = ["Predictor"]


class Predictor:
    """Answers requests with one model.

    Args:
        model: Contract, encoding and scorer.
        max_rows: Most rows in one request.
        metrics: Counts rows and predictions.
    """

    def __init__(self, model: Model, max_rows: int, metrics: PredictionMetrics) -> None:
        self.model = model
        self.metrics = metrics
        self.decoder = Decoder(model.contract, max_rows)
        self._classes = [class_text(label) for label in model.contract.target.classes]
        self._reference = {"name": model.name, "version": model.version}

    def answer(self, body: bytes) -> bytes:
        """Answers a JSON body with a JSON body.

        Raises:
            RequestProblem: The body is not JSON, or does not fit the contract.
        """
        return to_json(self._predict(self.decoder.decode(body)), inf_nan_mode="null")

    def answer_document(self, document: Any) -> dict[str, Any]:
        """Answers a request that is read already: ``{"rows": [...]}``, and ``columns`` if need be.

        Raises:
            RequestProblem: The request does not fit the contract.
        """
        return self._predict(self.decoder.check(document))

    def _predict(self, table: Table) -> dict[str, Any]:
        scores = self.model.scorer(self.model.encode(table))
        decided = self.model.decide(scores).tolist()
        if not self._classes:
            self.metrics.count_values(len(decided))
            return {"predictions": [{"value": value} for value in decided], "model": self._reference}
        self.metrics.count_labels([class_text(label) for label in decided])
        predictions = [
            {"label": label, "probabilities": dict(zip(self._classes, row, strict=True))}
            for label, row in zip(decided, scores.tolist(), strict=True)
        ]
        return {"predictions": predictions, "model": self._reference}
