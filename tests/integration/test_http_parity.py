"""Every built-in trainer over HTTP, in process: a served model answers as the fitted pipeline does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI

from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.model import Model, PipelineScorer
from modelyard.models.training import fit_rows
from modelyard.plugins.registry import get_trainer
from modelyard_tuning.preparation import Prepared, load_table, prepare
from served_model import json_rows, make_table

TRAINERS = ("linear", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost")
TASKS = ("binary", "multiclass", "flag", "regression")
TOLERANCE, TIE = 1e-5, 2e-5
ALONE = 60


@pytest.fixture(scope="module", params=TASKS)
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, pd.DataFrame]:
    path = tmp_path_factory.mktemp("table") / "table.csv"
    make_table(request.param).to_csv(path, index=False)
    data = {"path": str(path), "target": "target", "kinds": {"json": "categorical"}}
    settings = Settings.model_validate({"data": data})
    loaded = load_table(settings)
    return prepare(loaded, settings), loaded.frame


async def ask(app: FastAPI, rows: list[dict[str, Any]]) -> tuple[list[Any], list[Any], str]:
    """Answers to all rows in one request and to the first ones alone, and the figures after that."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:

        async def predict(*given: Any) -> list[Any]:
            answer = await client.post("/predict", json={"rows": given})
            return answer.raise_for_status().json()["predictions"]

        together = await predict(*rows)
        alone = [(await predict(list(row.values())))[0] for row in rows[:ALONE]]
        return together, alone, (await client.get("/metrics")).text


@pytest.mark.parametrize("name", TRAINERS)
def test_a_served_model_answers_as_the_fitted_one(
    name: str, table: tuple[Prepared, pd.DataFrame], tmp_path: Path
) -> None:
    rows, frame = table
    contract, shape = rows.contract, rows.folds.shape
    trainer = get_trainer(name)
    fitted = fit_rows(trainer, trainer.defaults(shape), rows.folds)
    card = Card(model="m", task=shape.task, metric=rows.folds.metric, algorithm=name, contract=contract.digest)
    folder = save_model(tmp_path / "m", contract=contract, card=card, onnx=compile_model(trainer, fitted, shape))
    original = Model(contract, PipelineScorer(fitted.pipeline, shape.classes))
    expected = original.scorer(original.encode(frame))

    app = create_app(load_served(folder, Settings()), Settings())
    together, alone, figures = asyncio.run(ask(app, json_rows(frame, contract)))
    assert alone == together[:ALONE]
    assert "modelyard_handed_on_total 0.0" in figures
    if shape.task == "regression":
        values = np.array([answer["value"] for answer in together])
        scale = np.maximum(np.abs(expected), expected.std())
        assert (np.abs(values - expected) / scale).max() < TOLERANCE
        return
    got = np.array([list(answer["probabilities"].values()) for answer in together])
    assert np.abs(got - expected).max() < TOLERANCE
    best = np.sort(expected, axis=1)
    labels = zip(together, original.decide(expected).tolist(), best[:, -1] - best[:, -2] > TIE, strict=True)
    assert all(answer["label"] == label for answer, label, clear in labels if clear)
