"""BentoML as its documentation has it: a service with a typed API, before the fitted scikit-learn pipeline."""

from __future__ import annotations

import bentoml
import joblib
from rows import FOLDER, Prediction, Row, matrix_of, predictions_of


@bentoml.service(workers=1)
class Typed:
    def __init__(self) -> None:
        self.pipeline = joblib.load(FOLDER / "pipeline.pkl")

    @bentoml.api
    async def predict(self, rows: list[Row]) -> list[Prediction]:
        return predictions_of(self.pipeline.predict_proba(matrix_of(rows)))
