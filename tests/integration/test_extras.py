"""Each extra alone: installed by itself at the lock's versions, it does its part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from image_bases import push_base
from modelyard.kube.reference import Reference
from oci_registry import OciRegistry

ROOT = Path(__file__).parents[2]

# environments are made from a registry, so this is no part of the tests that a machine without one can run
pytestmark = pytest.mark.extras

TRAIN = """
from modelyard.config import load_config
from modelyard.data.loading import load_data
from modelyard.models.training import train_model

frame = load_data("sklearn://breast_cancer")
model = train_model(frame, load_config(overrides={"model": {"model_type": "TRAINER"}}))
print((model.predict(frame.drop(columns="target")) == frame["target"].to_numpy()).mean())
"""

TUNE = """
from modelyard.config import load_config
from modelyard_tuning.job import tune

outcome = tune(load_config(overrides={
    "data": {"path": "sklearn://iris", "target": "target"},
    "model": {"algorithms": ["linear"]},
    "tuning": {"trials": 2, "time_budget_s": None, "slots": 1},
}))
assert outcome.trials == 2
print(outcome.model)
"""

LOG = """
import glob
import os

import numpy as np
import pyarrow.parquet as pq
import s3fs
from prometheus_client import CollectorRegistry

from modelyard.config.models import PredictionLogSettings
from modelyard.data.contract import Column, Contract, Target
from modelyard.models.model import Model
from modelyard.monitoring.prediction_log import PredictionLog

contract = Contract(columns=(Column(name="x", kind="numeric"),), target=Target(name="y", task="regression"))
model = Model(contract, lambda matrix: matrix, version="1")
log = PredictionLog(PredictionLogSettings(url=os.path.abspath("log")), model, CollectorRegistry())
log.add(b"", np.ones((1, 1), dtype=np.float32), np.ones(1, dtype=np.float32))
log.close()
(file,) = glob.glob("log/*/*/*.parquet")
print(pq.ParquetFile(file).metadata.num_rows)
"""

SERVE = """
import os, sys
os.environ["MODELYARD_MODEL"] = "FOLDER"
from modelyard.api.app import create_app
from modelyard.api.service import ModelService
from modelyard.config import ConfigManager
import modelyard_bentos.service

service = ModelService(ConfigManager())
assert service.load_model("iris", "FOLDER")
labels, _, _ = service.predict(features=[5.1, 3.5, 1.4, 0.2], model_name="iris")
assert "/api/v1/predict" in create_app().openapi()["paths"]
assert not {"pandas", "sklearn", "ray"} & set(sys.modules)
print(len(labels))
"""

Install = Callable[[str], Path]


@pytest.fixture(scope="module")
def install(built_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Gives the interpreter of a fresh environment with `modelyard[EXTRA]` and nothing else."""

    def install(extra: str) -> Path:
        folder = tmp_path_factory.mktemp(extra or "core")
        uv = [sys.executable, "-m", "uv", "--quiet"]
        subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
        wish = f"modelyard[{extra}] @ {built_wheel.as_uri()}" if extra else str(built_wheel)
        lock = str(ROOT / "requirements" / "lock.txt")
        python = folder / "bin" / "python"
        subprocess.run([*uv, "pip", "install", "--python", str(python), "--constraint", lock, wish], check=True)
        subprocess.run([*uv, "pip", "check", "--python", str(python)], check=True)
        return python

    return install


def run(python: Path, code: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run([python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_core_alone_says_what_to_install(install: Install, outside: dict[str, str], tmp_path: Path) -> None:
    python = install("")
    run(python, "from modelyard.config import load_config; assert load_config().ml.folds", tmp_path, outside)
    command = [str(python.with_name("modelyard")), "check", "data.path=sklearn://iris"]
    refused = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "pip install 'modelyard[train]'" in refused.stderr.replace("\n", " ")
    assert "Traceback" not in refused.stderr


def test_train_alone_trains(install: Install, outside: dict[str, str], tmp_path: Path) -> None:
    assert 0.9 < float(run(install("train"), TRAIN.replace("TRAINER", "lightgbm"), tmp_path, outside)) <= 1


def test_boost_alone_trains_xgboost(install: Install, outside: dict[str, str], tmp_path: Path) -> None:
    assert 0.9 < float(run(install("boost"), TRAIN.replace("TRAINER", "xgboost"), tmp_path, outside)) <= 1


def test_tuning_alone_finds_a_model_that_serving_alone_answers_with(
    install: Install, outside: dict[str, str], tmp_path: Path
) -> None:
    model = run(install("tuning"), TUNE, tmp_path, outside).splitlines()[-1]
    assert int(run(install("serving"), SERVE.replace("FOLDER", str(tmp_path / model)), tmp_path, outside)) == 1


def test_kube_alone_writes_the_values_of_an_image(install: Install, outside: dict[str, str], tmp_path: Path) -> None:
    python = install("kube")
    with OciRegistry() as registry:
        image = push_base(Reference(registry.host, "people", "1"), packages=None)
        command = [str(python.with_name("modelyard")), "deploy", str(image), "--insecure", "--write", "values.yaml"]
        done = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((tmp_path / "values.yaml").read_text())["image"]["digest"].startswith("sha256:")
    run(python, "import modelyard.kube.status, modelyard.kube.convergence", tmp_path, outside)


def test_tracing_alone_brings_what_sends_spans(install: Install, outside: dict[str, str], tmp_path: Path) -> None:
    code = "from modelyard.monitoring.tracing import find_tracing; tracing = find_tracing('a', '1'); print(tracing)"
    assert "Tracing" in run(install("tracing"), code, tmp_path, outside | {"OTEL_TRACES_EXPORTER": "otlp"})


def test_log_alone_writes_predictions(install: Install, outside: dict[str, str], tmp_path: Path) -> None:
    assert int(run(install("log"), LOG, tmp_path, outside)) == 1
