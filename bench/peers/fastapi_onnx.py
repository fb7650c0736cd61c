"""FastAPI before ONNX Runtime."""

from __future__ import annotations

import onnxruntime
from fastapi import FastAPI
from pydantic import BaseModel
from rows import FOLDER, Prediction, Row, matrix_of, predictions_of

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # more of them double the cost of a single row
session = onnxruntime.InferenceSession(FOLDER / "model.onnx", options, providers=["CPUExecutionProvider"])
app = FastAPI()


class Request(BaseModel):
    rows: list[Row]


class Answer(BaseModel):
    predictions: list[Prediction]


# not a plain function, which FastAPI hands to a thread: that costs as much again
@app.post("/predict")
async def predict(request: Request) -> Answer:
    (probabilities,) = session.run(["probabilities"], {"X": matrix_of(request.rows)})
    return Answer(predictions=predictions_of(probabilities))
