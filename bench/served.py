"""The models that the serving benchmark asks, trained by modelyard's own trainers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from modelyard.config import load_config
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.training import fit_rows
from modelyard.plugins.registry import get_trainer
from modelyard_tuning.preparation import load_table, prepare
from tables import settings_of

__all__ = ["MODELS", "Recipe", "save"]


@dataclass(frozen=True)
class Recipe:
    """A model.

    Attributes:
        trainer: The trainer's name.
        params: Its parameters that are not the defaults.
        table: Gives the training table; none: adult.
        bound: Most CPU of a request, as times bare uvicorn.
        plus_onnx: Whether ONNX Runtime's time comes on top of that.
    """

    trainer: str
    params: Mapping[str, Any]
    table: Callable[..., Any] | None
    bound: float
    plus_onnx: bool = False


FOREST = {"n_estimators": 100}
MODELS = {
    "breast cancer, logistic regression": Recipe("linear", {}, load_breast_cancer, 1.7),
    "breast cancer, forest of 100": Recipe("random_forest", FOREST, load_breast_cancer, 1.9),
    "adult, LightGBM": Recipe("lightgbm", {}, None, 2.5, plus_onnx=True),
    "wine (three classes), LightGBM": Recipe("lightgbm", {}, load_wine, 2.5, plus_onnx=True),
    "diabetes (regression), LightGBM": Recipe("lightgbm", {}, load_diabetes, 2.5, plus_onnx=True),
}


def save(name: str, work: Path, data: Path | None) -> tuple[Path, str]:
    """Fits, compiles and saves a model.

    Args:
        name: One of `MODELS`.
        work: Where its folder goes.
        data: Where adult is.

    Returns:
        The model's folder, and what it is in words.
    """
    recipe = MODELS[name]
    settings = load_config(overrides={"data": _adult(data) if recipe.table is None else _table(recipe, work)})
    prepared = prepare(load_table(settings), settings)
    contract, shape = prepared.contract, prepared.folds.shape
    trainer = get_trainer(recipe.trainer)
    fitted = fit_rows(trainer, {**trainer.defaults(shape), **recipe.params}, prepared.folds)
    named = "".join(letter if letter.isalnum() else "-" for letter in name).replace("--", "-")
    card = Card(
        model=named,
        task=contract.target.task,
        metric=prepared.folds.metric,
        algorithm=recipe.trainer,
        contract=contract.digest,
    )
    onnx = compile_model(trainer, fitted, shape)
    folder = save_model(work / named, contract=contract, card=card, onnx=onnx, pipeline=fitted.pipeline)
    rounds = f", {fitted.rounds} rounds" if fitted.rounds is not None else ""
    return folder, f"{len(contract.columns)} columns{rounds}"


def _adult(data: Path | None) -> dict[str, Any]:
    assert data is not None, "adult needs a folder"
    return settings_of("adult", data)


def _table(recipe: Recipe, work: Path) -> dict[str, Any]:
    assert recipe.table is not None
    frame: pd.DataFrame = recipe.table(as_frame=True).frame
    path = work / f"{recipe.table.__name__}.csv"
    frame.to_csv(path, index=False)
    return {"path": str(path), "target": "target"}
