"""Make the stored files of one modelyard version: run it with that version's interpreter, in an empty folder.

See README.md beside this file.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from modelyard.config.models import MlSettings, Settings
from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.inference import infer_contract
from modelyard.data.target import encode_target
from modelyard.models.artifact import load_model, save_model
from modelyard.models.calibration import Calibration
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.folds import Folds, make_folds
from modelyard.models.metrics import get_metric
from modelyard.models.training import fit_rows
from modelyard.plugins.registry import get_trainer
from modelyard.registry.models import promote
from modelyard_bentos.packaging import pack
from modelyard_tuning.job import tune

ROWS = 160
SHOWN_ROWS = 12
FORESTS = {"n_estimators": 4, "max_leaf_nodes": 8}
BOOSTING = {"learning_rate": 0.3, "max_leaf_nodes": 6}
LIGHTGBM = {"learning_rate": 0.3, "num_leaves": 6}


def make_table(target: str) -> pd.DataFrame:
    """Every kind of column, nulls, and one target."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "weight": rng.gamma(2.0, 3.0, ROWS).round(3),
            "pieces": rng.integers(1, 9, ROWS),
            "country": rng.choice(["de", "fr", "it"], ROWS, p=[0.6, 0.3, 0.1]),
            "placed": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9000, ROWS), unit="h"),
            "express": rng.random(ROWS) < 0.4,
        }
    )
    frame.loc[rng.random(ROWS) < 0.1, "weight"] = np.nan
    frame.loc[rng.random(ROWS) < 0.1, "country"] = None
    merit = frame.weight.fillna(6.0) + 4.0 * (frame.country == "it") + frame.pieces + rng.normal(size=ROWS)
    # the rarer class is the positive one: the contract has (slow, fast), sorted they are (fast, slow)
    targets = {
        "speed": np.where(merit > merit.quantile(0.7), "fast", "slow"),
        "size": pd.qcut(merit, 3, labels=["s", "m", "l"]).astype(str),
        "hours": (merit * 2.0 + 100.0).round(3),
    }
    return frame.assign(**{target: targets[target]})


def folds_of(frame: pd.DataFrame, contract: Contract) -> Folds:
    encoder, target = Encoder(contract), contract.target
    X, y = encoder.encode(frame), encode_target(frame, contract)
    metric = get_metric("auto", target.task).name
    return make_folds(X, y, encoder.features, target.task, len(target.classes), MlSettings(folds=3, repeats=1), metric)


def save(
    folder: Path,
    target: str,
    algorithm: str,
    params: dict[str, Any],
    threshold: float = 0.5,
    calibration: Calibration | None = None,
    compiled: bool = True,
) -> None:
    """Fits one model and writes its folder."""
    frame = make_table(target)
    contract = infer_contract(frame, Settings.model_validate({"data": {"target": target}}).data)
    folds, trainer = folds_of(frame, contract), get_trainer(algorithm)
    fitted = fit_rows(trainer, {**trainer.defaults(folds.shape), **params}, folds, threads=1, rounds=5)
    card = Card(
        model=folder.name,
        task=contract.target.task,
        metric=folds.metric,
        algorithm=algorithm,
        params=params,
        contract=contract.digest,
        threshold=threshold,
        calibration=calibration,
        served="compiled" if compiled else "original",
        reason="" if compiled else "made for a test",
    )
    graph = compile_model(trainer, fitted, folds.shape, calibration) if compiled else None
    save_model(folder, contract=contract, card=card, onnx=graph, pipeline=fitted.pipeline)


def rows_of(target: str) -> list[dict[str, Any]]:
    """Rows as a client sends them, with nulls, an unknown category and a value beyond the range."""
    frame = make_table(target).drop(columns=target).head(SHOWN_ROWS)
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    rows[0] |= {"weight": None, "country": None}
    rows[1] |= {"country": "es"}
    rows[2] |= {"weight": 1e4, "pieces": 1000}
    return rows


def answers(folder: Path, target: str) -> dict[str, Any]:
    """What the model answers: predictions, and scores by class in the contract's order."""
    model, rows = load_model(folder, allow_pickle=True), rows_of(target)
    return {
        "version": model.version,
        "classes": list(model.contract.target.classes),
        "rows": rows,
        "predictions": model.predict(rows).tolist(),
        "scores": model.scorer(model.encode(rows)).tolist(),
    }


def make_runs(home: Path) -> None:
    """A complete run, and one that was interrupted after two trials; their table is the relative path orders.csv."""
    make_table("speed").to_csv("orders.csv", index=False)
    for trials in (3, 2):
        settings = Settings.model_validate(
            {
                "data": {"path": "orders.csv", "target": "speed"},
                "ml": {"folds": 3, "repeats": 1},
                "model": {"name": "orders", "algorithms": ["linear"], "threshold": "tuned", "calibrate": True},
                "tuning": {"time_budget_s": None, "trials": trials, "slots": 1, "deterministic": True},
                "storage": {"runs": "runs", "models": "registry"},
            }
        )
        folder = Path(tune(settings).folder)
        shutil.rmtree(folder / "lease")
        # the report is a page of 4 MB, nearly all of it a library
        (folder / "report.html").write_text("<!doctype html><title>a report of 0.1</title>\n")
        summary = folder / "summary.json"
        summary.write_text(summary.read_text().replace(str(Path.cwd()), "/home/somebody"))
        if trials == 2:
            for made in ("summary.json", "evaluation.json", "report.html"):
                (folder / made).unlink()
            shutil.rmtree(folder / "model")
            info = json.loads((folder / "run.json").read_text())
            (folder / "run.json").write_text(json.dumps(info | {"state": "interrupted"}, indent=2) + "\n")
    shutil.copy("orders.csv", home / "orders.csv")
    shutil.copytree("runs", home / "runs")


def make_bento(home: Path) -> None:
    """The bento's folder as an archive, without bytecode and capacity."""
    packed = pack(home / "models" / "binary", Settings())
    with tarfile.open(home / "bento.tar.xz", "w:xz", preset=9) as archive:
        archive.add(packed.path, "bento", filter=_kept)


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if "__pycache__" in entry.name or entry.name.endswith("capacity.json"):
        return None
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def main() -> None:
    home = Path(sys.argv[1]).absolute()
    models = home / "models"
    save(models / "binary", "speed", "lightgbm", LIGHTGBM)
    save(models / "multiclass", "size", "hist_gradient_boosting", BOOSTING)
    save(models / "regression", "hours", "linear", {})
    save(models / "calibrated", "speed", "random_forest", FORESTS, 0.37, Calibration(1.4, (0.0, -0.3)))
    save(models / "original", "speed", "extra_trees", FORESTS, compiled=False)
    targets = {"multiclass": "size", "regression": "hours"}
    names = sorted(folder.name for folder in models.iterdir())
    expected = {name: answers(models / name, targets.get(name, "speed")) for name in names}
    make_runs(home)
    (run_model,) = home.glob("runs/*/model")
    expected["run"] = answers(run_model, "speed")
    promote(home / "models" / "calibrated", home / "registry")
    make_bento(home)
    (home / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
