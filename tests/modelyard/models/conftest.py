from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import MlSettings
from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.target import encode_target
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.folds import Folds, make_folds
from modelyard.models.metrics import get_metric
from modelyard.models.model import Model
from modelyard.models.training import train_model
from modelyard.plugins.registry import get_trainer

TARGET = {"binary": "late", "multiclass": "size", "regression": "hours"}


def mixed_table(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Orders with a key, every kind of column, nulls, and a target for each task."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "order": [f"A{number:06d}" for number in range(rows)],
            "weight": rng.gamma(2.0, 3.0, rows),
            "pieces": rng.integers(1, 9, rows),
            "country": rng.choice(["de", "fr", "it"], rows, p=[0.6, 0.3, 0.1]),
            "placed": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9000, rows), unit="h"),
            "express": rng.random(rows) < 0.4,
        }
    )
    frame.loc[rng.random(rows) < 0.1, "weight"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "country"] = None
    merit = frame.weight.fillna(6.0) + 4.0 * (frame.country == "it") + frame.pieces + rng.normal(size=rows)
    frame["late"] = np.where(merit > merit.quantile(0.7), "yes", "no")
    frame["size"] = pd.qcut(merit, 3, labels=["s", "m", "l"]).astype(str)
    frame["hours"] = merit * 2.0
    return frame


def table_for(task: str, rows: int = 240, seed: int = 0) -> pd.DataFrame:
    frame = mixed_table(rows, seed)
    return frame.drop(columns=[name for name in TARGET.values() if name != TARGET[task]])


def configure(task: str, model_type: str = "linear", **ml: Any) -> dict[str, Any]:
    return {"data": {"target": TARGET[task]}, "model": {"model_type": model_type}, "ml": {"folds": 3, **ml}}


@pytest.fixture
def make_model() -> Callable[[str], tuple[Model, pd.DataFrame]]:
    def make(task: str, model_type: str = "linear") -> tuple[Model, pd.DataFrame]:
        frame = table_for(task)
        return train_model(frame, configure(task, model_type)), frame

    return make


@dataclass(frozen=True)
class Parts:
    """What a model folder is made of."""

    model: Model
    frame: pd.DataFrame
    contract: Contract
    card: Card
    onnx: bytes

    def save(self, folder: Path, **changes: Any) -> Path:
        parts = {
            "contract": self.contract,
            "card": self.card,
            "onnx": self.onnx,
            "pipeline": self.model.fitted.pipeline,
        }
        return save_model(folder, **{**parts, **changes})


@pytest.fixture(scope="session")
def parts() -> Parts:
    frame = table_for("binary")
    model = train_model(frame, configure("binary"))
    shape = folds_of(frame, model.contract).shape
    onnx = compile_model(get_trainer("linear"), model.fitted, shape)
    card = Card(
        model="orders",
        task="binary",
        metric="roc_auc",
        algorithm="linear",
        contract=model.contract.digest,
        threshold=0.4,
    )
    return Parts(model, frame, model.contract, card, onnx)


def folds_of(frame: pd.DataFrame, contract: Contract, **ml: Any) -> Folds:
    encoder, target = Encoder(contract), contract.target
    settings = MlSettings(**{"folds": 3, "repeats": 1, **ml})
    metric = get_metric("auto", target.task).name
    X, y = encoder.encode(frame), encode_target(frame, contract)
    return make_folds(X, y, encoder.features, target.task, len(target.classes), settings, metric)


@pytest.fixture
def make_folds_of() -> Callable[..., Folds]:
    return folds_of
