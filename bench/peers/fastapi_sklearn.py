"""FastAPI before the fitted scikit-learn pipeline."""

from __future__ import annotations

import joblib
from fastapi import FastAPI
from pydantic import BaseModel
from rows import FOLDER, Prediction, Row, matrix_of, predictions_of

pipeline = joblib.load(FOLDER / "pipeline.pkl")
app = FastAPI()


class Request(BaseModel):
    rows: list[Row]


class Answer(BaseModel):
    predictions: list[Prediction]


# not a plain function, which FastAPI hands to a thread: that costs as much again
@app.post("/predict")
async def predict(request: Request) -> Answer:
    return Answer(predictions=predictions_of(pipeline.predict_proba(matrix_of(request.rows))))
