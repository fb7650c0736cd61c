"""A forest so large that a row takes milliseconds of CPU, packed, with what a request of one row takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cluster.arrivals import Step, arrive
from modelyard.config import load_config
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.training import fit_rows
from modelyard.plugins.registry import get_trainer
from modelyard_bentos.capacity import ALONE
from modelyard_bentos.client import Server
from modelyard_bentos.packaging import pack
from modelyard_bentos.usage import cpu_seconds
from modelyard_tuning.preparation import load_table, prepare

__all__ = ["Forest", "make_forest"]

TREES, ROWS, COLUMNS = 2000, 1500, 8
ALGORITHM = "extra_trees"
TRIAL = Step(seconds=8, rate=40)


@dataclass(frozen=True)
class Forest:
    """A packed forest.

    Attributes:
        tag: The bento's.
        body: A request of one row.
        work_s: CPU seconds that the service spends on it, with a connection of its own.
    """

    tag: str
    body: bytes
    work_s: float


def make_forest(folder: Path) -> Forest:
    """Fits, compiles, packs and measures it; the bento says nothing of its capacity, so `deploy` gives it no size."""
    settings = load_config(overrides={"data": {"path": str(_table(folder)), "target": "target"}})
    prepared = prepare(load_table(settings), settings)
    contract, shape = prepared.contract, prepared.folds.shape
    trainer = get_trainer(ALGORITHM)
    fitted = fit_rows(trainer, {**trainer.defaults(shape), "n_estimators": TREES}, prepared.folds)
    card = Card(
        model="people",
        task=contract.target.task,
        metric=prepared.folds.metric,
        algorithm=ALGORITHM,
        contract=contract.digest,
    )
    onnx = compile_model(trainer, fitted, shape)
    model = save_model(folder / "people", contract=contract, card=card, onnx=onnx)
    packed = pack(model, settings)
    body = json.dumps({"rows": [contract.example]}).encode()
    with Server(packed.path, environment=ALONE) as server:
        arrive(server.url, body, [Step(2, TRIAL.rate)])
        before = cpu_seconds(server.pid)
        seen = arrive(server.url, body, [TRIAL])
        spent = cpu_seconds(server.pid) - before
    assert {arrival.outcome for arrival in seen} == {"200"}
    return Forest(packed.tag, body, spent / len(seen))


def _table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, COLUMNS))
    frame = pd.DataFrame(X, columns=[f"x{number}" for number in range(COLUMNS)])
    frame["target"] = (X[:, 0] - X[:, 1] + rng.normal(size=ROWS) > 0).astype(int)
    path = folder / "people.csv"
    frame.to_csv(path, index=False)
    return path
