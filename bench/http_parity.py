"""Parity over HTTP of every built-in trainer on every table: does a served model answer as the fitted one does?

    python bench/http_parity.py DATA_FOLDER [--tables adult,german] [--trainers lightgbm] [--rows 300]

Each trainer is fitted with its defaults, compiled, saved and served. Held-out rows are posted as
JSON, one by one (every other one as a list of values) and all in one request, and the answers are compared with those
of the fitted pipeline. Prints a markdown table and ends with 1 if an answer is beyond tolerance, or if a request was
handed on by the fast way.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modelyard.config import load_config
from modelyard.config.models import ModelSettings, Settings
from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.target import split_target
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.folds import split_held_out
from modelyard.models.model import Model, PipelineScorer
from modelyard.models.training import fit_rows
from modelyard.plugins.base import TabularTrainer
from modelyard_bentos.client import Server
from modelyard_tuning.preparation import Prepared, Table, load_table, prepare
from modelyard_tuning.space import make_space
from parity import TRAINERS
from tables import TABLES, settings_of

MOST_ROWS = 8_000  # of a table: the answers to a few hundred rows need no larger fit
TOLERANCE, TIE = 1e-5, 2e-5
HANDED_ON = "modelyard_handed_on_total"


@dataclass(frozen=True)
class Compared:
    """What a served model answered.

    Attributes:
        answers: How many were compared.
        beyond: How many differ by more than is allowed.
        worst: Largest difference of a probability, or of a value relative to max(|y|, std(y)).
        handed_on: Requests that the fast way handed on.
    """

    answers: int
    beyond: int
    worst: float
    handed_on: float


def take_rows(table: Table, settings: Settings, most: int) -> pd.DataFrame:
    """Returns held-out rows, the ones that `prepare` sets aside."""
    rows, y = split_target(table.frame, table.contract)
    _, apart = split_held_out(Encoder(table.contract).encode(rows), y, table.contract.target.task, settings.ml)
    return rows.iloc[apart].head(most)


def as_json(frame: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """Returns rows as a client would send them."""
    records = frame[list(contract.names)].astype(object).to_dict("records")
    return [{name: _plain(value) for name, value in record.items()} for record in records]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.isoformat() if hasattr(value, "isoformat") else getattr(value, "item", lambda: value)()


def compare(trainer: TabularTrainer, prepared: Prepared, frame: pd.DataFrame, work: Path) -> Compared:
    """Fits, serves and asks one model."""
    contract, shape = prepared.contract, prepared.folds.shape
    fitted = fit_rows(trainer, trainer.defaults(shape), prepared.folds)
    task, metric = contract.target.task, prepared.folds.metric
    card = Card(model="parity", task=task, metric=metric, algorithm=trainer.name, contract=contract.digest)
    onnx = compile_model(trainer, fitted, shape)
    folder = save_model(work / trainer.name, contract=contract, card=card, onnx=onnx)
    original = Model(contract, PipelineScorer(fitted.pipeline, shape.classes))
    expected = original.scorer(original.encode(frame))
    rows = as_json(frame, contract)
    with Server(folder) as server:
        answers = [server.predict([row if place % 2 else list(row.values())])[0] for place, row in enumerate(rows)]
        answers += server.predict(rows)
        with urllib.request.urlopen(f"{server.url}/metrics") as figures:
            lines = figures.read().decode().splitlines()
    handed_on = next(float(line.split()[-1]) for line in lines if line.startswith(HANDED_ON))
    worst, beyond = differences(answers, np.concatenate([expected, expected]), original)
    return Compared(len(answers), int(beyond.sum()), float(worst.max()), handed_on)


def differences(
    answers: list[dict[str, Any]], expected: NDArray[np.floating], original: Model
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns how far each answer is off, and whether that is too far."""
    if not original.contract.target.classes:
        off = np.abs([answer["value"] for answer in answers] - expected)
        off = off / np.maximum(np.abs(expected), expected.std())
        return off, off > TOLERANCE
    probabilities = np.array([list(answer["probabilities"].values()) for answer in answers])
    off = np.abs(probabilities - expected).max(axis=1)
    best = np.sort(expected, axis=1)
    labels = original.decide(expected).tolist()
    wrong = [answer["label"] != label for answer, label in zip(answers, labels, strict=True)]
    return off, (off > TOLERANCE) | (np.array(wrong) & (best[:, -1] - best[:, -2] > TIE))


def main() -> None:
    """Prints the table as it is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--trainers", default=",".join(TRAINERS))
    parser.add_argument("--rows", type=int, default=300)
    args = parser.parse_args()
    failed: list[str] = []
    print("| table | trainer | answers compared | beyond tolerance | worst difference | handed on |")
    print("|---|---|---|---|---|---|", flush=True)
    for name in args.tables.split(","):
        settings = load_config(overrides={"data": settings_of(name, args.data)})
        table = load_table(settings)
        if len(table.frame) > MOST_ROWS:
            table = replace(table, frame=table.frame.sample(MOST_ROWS, random_state=0, ignore_index=True))
        prepared, frame = prepare(table, settings), take_rows(table, settings, args.rows)
        trainers = make_space(ModelSettings(algorithms=args.trainers.split(",")), prepared.folds.shape).trainers
        for trainer in trainers.values():
            with tempfile.TemporaryDirectory() as work:
                found = compare(trainer, prepared, frame, Path(work))
            figures = f"{found.answers} | {found.beyond} | {found.worst:.1e} | {found.handed_on:.0f}"
            print(f"| {name} | {trainer.name} | {figures} |", flush=True)
            if found.beyond or found.handed_on:
                failed.append(f"{name}, {trainer.name}: {found}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
