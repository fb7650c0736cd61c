"""Requests and answers of the peers: what one writes with pydantic for rows of numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, create_model

# the model folder that a peer serves
FOLDER = Path(os.environ["PEER_MODEL"])
CONTRACT = json.loads((FOLDER / "contract.json").read_text())
LABELS = CONTRACT["target"]["classes"]

Row = create_model("Row", **{column["name"]: (float, ...) for column in CONTRACT["columns"]})


class Prediction(BaseModel):
    label: int
    probability: float


def matrix_of(rows: list[BaseModel]) -> NDArray[np.float32]:
    return np.array([list(row.__dict__.values()) for row in rows], dtype=np.float32)


def predictions_of(probabilities: NDArray[np.floating]) -> list[Prediction]:
    return [
        Prediction(label=LABELS[row.argmax()], probability=float(row[1]))  # of the second class
        for row in probabilities
    ]
