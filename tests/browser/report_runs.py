"""Small runs to make reports of: real data and a real model, a ledger as a search would have left it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from modelyard.config.models import DataSettings, MlSettings, Settings, StorageSettings
from modelyard.data.encoding import Encoder
from modelyard.data.inference import infer_contract
from modelyard.data.target import encode_target
from modelyard.data.validation import validate_data_quality
from modelyard.models.card import Card
from modelyard.models.evaluation import evaluate_model
from modelyard.models.folds import make_folds, split_held_out
from modelyard.models.latency import Latency
from modelyard.models.metrics import get_metric
from modelyard.models.model import Model, PipelineScorer
from modelyard.models.parity import check_parity
from modelyard.models.training import Configuration, fit_rows
from modelyard.plugins.registry import get_trainer
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run, create_run
from modelyard_tuning.report import write_report

SETS = {"binary": load_breast_cancer, "multiclass": load_iris, "regression": load_diabetes}


def make_run(folder: Path, task: str, *, trials: int = 24) -> Run:
    """A finished run on one of scikit-learn's sets; its trials' scores are drawn, its model is real."""
    frame = table(task)
    settings = Settings(
        data=DataSettings(path=f"sklearn://{task}", target="target"),
        ml=MlSettings(folds=3, repeats=1),
        storage=StorageSettings(runs=str(folder)),
    )
    run = create_run(settings, task)
    contract = infer_contract(frame, settings.data)
    run.storage.write("contract.json", contract.to_json())
    run.storage.write("quality.json", validate_data_quality(frame, settings=settings.data).to_json())

    X, y = Encoder(contract).encode(frame), encode_target(frame, contract)
    target = contract.target
    search, held = split_held_out(X, y, target.task, settings.ml)
    metric = get_metric("auto", target.task)
    encoder = Encoder(contract)
    folds = make_folds(
        X[search], y[search], encoder.features, target.task, len(target.classes), settings.ml, metric.name
    )
    records = ledger(trials, metric.greater_is_better)
    for record in records:
        run.ledger.append(record)
    trainer = get_trainer("lightgbm")
    configuration = Configuration("lightgbm", {**trainer.defaults(folds.shape), "n_estimators": 30})
    fitted = fit_rows(trainer, configuration.params, folds, rounds=30)
    model = Model(contract, PipelineScorer(fitted.pipeline, len(target.classes)), fitted=fitted)
    document = evaluate_model(model, X[held], y[held], folds=folds, configuration=configuration, rounds=30)
    run.storage.write("evaluation.json", document.to_json())
    complete = [record for record in records if record.state == "complete" and record.algorithm == "lightgbm"]
    card = Card(
        model=f"{task}-model",
        task=target.task,
        metric=metric.name,
        held_out=document.report.figures,
        algorithm="lightgbm",
        params=complete[0].params if complete else dict(configuration.params),
        rounds=30,
        rows=len(search),
        contract=contract.digest,
        parity=check_parity(model.scorer, model.scorer, X[held], contract, target.task, drawn=100),
        latency=Latency(median_us=21.0, p99_us=48.0),
        run=run.name,
    )
    run.storage.write("model/card.json", card.to_json())
    run.update(state="complete", spent_s=31.4)
    return run


def make_report(folder: Path, task: str, *, trials: int = 24) -> Path:
    """The report of `make_run`."""
    return Path(write_report(make_run(folder, task, trials=trials)))


def table(task: str) -> pd.DataFrame:
    """A bundled set with a category, a datetime, nulls and hostile names added."""
    frame = SETS[task](as_frame=True).frame.copy()
    rng = np.random.default_rng(0)
    labels = rng.choice(["north", "south", "</script><b>bold</b>"], len(frame))
    frame["a rather long name of a column, with commas"] = np.where(rng.random(len(frame)) < 0.1, None, labels)
    frame["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10_000, len(frame)), unit="h")
    if task != "regression":
        frame["target"] = frame["target"].map(lambda code: f"class {code}")
    return frame


def ledger(trials: int, greater_is_better: bool) -> list[Record]:
    """Records of trials of two algorithms on two rungs: most stopped early, a few complete, two failed."""
    rng = np.random.default_rng(1)
    records = []
    for number in range(trials):
        algorithm = "linear" if number % 4 == 3 else "lightgbm"
        params = (
            {"C": float(10 ** rng.uniform(-3, 2))}
            if algorithm == "linear"
            else {
                "learning_rate": float(10 ** rng.uniform(-2.5, -0.5)),
                "num_leaves": int(rng.integers(8, 128)),
                "min_child_samples": int(rng.integers(2, 60)),
                "colsample_bytree": float(rng.uniform(0.4, 1)),
                "class_weight": [None, "balanced"][int(rng.integers(0, 2))],
            }
        )
        common = {"trial": number, "algorithm": algorithm, "params": params, "started_at": "2026-01-01T00:00:00.000Z"}
        if number % 12 == 5:
            error = f"{algorithm} could not be fitted: no further splits"
            records.append(Record(rung=0, state="failed", seconds=0.1, error=error, **common))
            continue
        merit = 0.9 + 0.02 * np.log10(params.get("learning_rate", 0.05)) + 0.01 * rng.normal()
        score = float(merit if greater_is_better else 1.5 - merit)
        complete = number % 3 == 0
        first = "running" if complete else "stopped"
        cost = float(np.exp(rng.uniform(0, 4)))
        records.append(Record(rung=0, state=first, score=score, cost_us=cost, seconds=0.4, **common))
        if complete:
            records.append(Record(rung=1, state="complete", score=score - 0.003, cost_us=cost, seconds=1.2, **common))
    return records
