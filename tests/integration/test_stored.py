"""What earlier versions stored: it loads and answers as it did."""

from __future__ import annotations

import asyncio
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.errors import ModelError, RunError
from modelyard.kube.bento import read_bento
from modelyard.models.artifact import load_model, read_card, verify
from modelyard.registry.models import champion, list_models
from modelyard.registry.runs import Run, list_runs, open_run
from modelyard_bentos.client import Server
from modelyard_tuning.job import tune
from modelyard_tuning.report import write_report

STORED = Path(__file__).parents[1] / "stored" / "0.1"
EXPECTED: dict[str, dict[str, Any]] = json.loads((STORED / "expected.json").read_text())
MODELS = sorted(path.name for path in (STORED / "models").iterdir())


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Run]:
    """Copies of the runs by their state, in a working folder that has their table."""
    shutil.copytree(STORED / "runs", tmp_path / "runs")
    shutil.copy(STORED / "orders.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    found = [open_run(name, "runs") for name in list_runs("runs")]
    return {run.info["state"]: run for run in found}


@pytest.fixture
def bento(tmp_path: Path) -> Path:
    with tarfile.open(STORED / "bento.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "bento"


def assert_answers(folder: Path, expected: dict[str, Any]) -> None:
    model = load_model(folder, allow_pickle=True)
    assert model.version == expected["version"]
    assert list(model.contract.target.classes) == expected["classes"]
    # the scorer's columns keep the contract's order
    scores = model.scorer(model.encode(expected["rows"]))
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-6, atol=1e-6)
    predictions = model.predict(expected["rows"])
    if expected["classes"]:
        assert predictions.tolist() == expected["predictions"]
    else:
        np.testing.assert_allclose(predictions, expected["predictions"], rtol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_answers_as_it_did(name: str) -> None:
    assert_answers(STORED / "models" / name, EXPECTED[name])


@pytest.mark.parametrize("name", MODELS)
def test_a_service_of_a_model_answers_as_it_did(name: str) -> None:
    settings = Settings.model_validate({"model": {"serve_original": name == "original"}})
    expected = EXPECTED[name]
    app = create_app(load_served(STORED / "models" / name, settings), settings)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            return await client.post("/api/v1/predict", json={"rows": expected["rows"]})

    answered = asyncio.run(ask()).json()["predictions"]
    if not expected["classes"]:
        values = [one["value"] for one in answered]
        np.testing.assert_allclose(values, expected["predictions"], rtol=1e-6)
        return
    assert [one["label"] for one in answered] == expected["predictions"]
    scores = [[one["probabilities"][label] for label in expected["classes"]] for one in answered]
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-6, atol=1e-6)


def test_a_model_without_a_graph_needs_permission() -> None:
    with pytest.raises(ModelError, match="only a pickle"):
        load_model(STORED / "models" / "original")


def test_a_card_is_read() -> None:
    card = read_card(STORED / "models" / "calibrated")
    assert card.calibration is not None
    assert (card.threshold, card.calibration.scale, card.calibration.bias) == (0.37, 1.4, (0.0, -0.3))


def test_a_complete_run_is_read(runs: dict[str, Run]) -> None:
    run = runs["complete"]
    assert run.settings.data.path == "orders.csv"
    assert run.contract.target.classes == ("slow", "fast")
    assert [trial["state"] for trial in run.trials()] == ["complete"] * 3
    assert run.summary["version"] == EXPECTED["run"]["version"]
    assert_answers(Path(run.folder, "model"), EXPECTED["run"])
    assert Path(write_report(run)).stat().st_size > 100_000


def test_a_run_that_was_moved_names_its_own_model(runs: dict[str, Run]) -> None:
    """The summary of 0.1 has absolute paths of the machine that searched."""
    run = runs["complete"]
    assert '"model": "/home/somebody/runs' in Path(run.folder, "summary.json").read_text()
    assert run.summary["model"] == f"{run.folder}/model"
    assert run.summary["report"] == f"{run.folder}/report.html"


@pytest.mark.slow
def test_an_interrupted_run_is_refused_since_its_folds_are_others(runs: dict[str, Run]) -> None:
    run = runs["interrupted"]
    before = run.ledger.records()
    tuning = {"trials": 3, "time_budget_s": None, "slots": 1, "deterministic": True}
    with pytest.raises(RunError, match="scored on other folds than this version makes of the table; start a new run"):
        tune(Settings.model_validate({"tuning": tuning}), resume=run)
    assert run.ledger.records() == before


def test_a_registry_has_its_champion() -> None:
    folder = champion(STORED / "registry")
    assert [(model.name, model.path) for model in list_models(STORED / "registry")] == [("calibrated", folder)]
    assert_answers(folder, EXPECTED["calibrated"])


def test_a_bento_is_fit_for_an_image(bento: Path) -> None:
    found = read_bento(bento)
    assert found.tag == f"binary:{EXPECTED['binary']['version']}"
    assert found.card.model == "binary"
    assert {"onnxruntime", "fastapi", "numpy"} <= {each.name for each in found.requirements}


@pytest.mark.slow
def test_a_bento_is_served(bento: Path) -> None:
    expected = EXPECTED["binary"]
    with Server(bento) as server:
        assert server.health()["model"]["version"] == expected["version"]
        answered = server.predict(expected["rows"])
    assert [one["label"] for one in answered] == expected["predictions"]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_verified_without_its_pickle(name: str, caplog: pytest.LogCaptureFixture) -> None:
    found = verify(STORED / "models" / name)
    assert (found["ok"], found["version"]) == (True, EXPECTED[name]["version"])
    assert "only digests were checked" in found["note"]
    assert not caplog.records
