"""Ids of predictions, outcomes and the log of two workers under one parent."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pandas as pd
import pytest

from figures import figure
from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard.data.loading import load_data
from modelyard_bentos.client import Server
from modelyard_bentos.contents import SERVING_VARIABLE
from waiting import until

REQUESTS, ROWS = 30, 3


def settings(tmp_path: Path) -> Settings:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    return Settings.model_validate({"api": {"workers": 2}, "serving": {"feedback_key_file": str(key)}})


def predict(server: Server) -> list[str]:
    """Every request on a connection of its own, so that both workers get some."""
    ids = []
    for _ in range(REQUESTS):
        answer = httpx.post(f"{server.url}/predict", json={"rows": [GOOD] * ROWS}, timeout=30).json()
        ids += [each["id"] for each in answer["predictions"]]
    return ids


@pytest.mark.parametrize("bentoml", [False, True])
def test_any_worker_takes_outcomes_of_any_other_and_the_figures_add_up(
    bentoml: bool, folder: Path, tmp_path: Path
) -> None:
    with Server(folder, settings(tmp_path), bentoml=bentoml) as server:
        ids = predict(server)
        assert len(set(ids)) == REQUESTS * ROWS
        for told in ("counted", "repeated"):
            for identity in ids:
                body = {"feedback": [{"id": identity, "actual": "<=50K"}]}
                assert httpx.post(f"{server.url}/api/v1/feedback", json=body, timeout=30).json()[told] == 1
        metrics = httpx.get(f"{server.url}/metrics", timeout=30).text
        assert figure(metrics, "modelyard_feedback_rows_total") == REQUESTS * ROWS


@pytest.mark.parametrize("bentoml", [False, True])
def test_every_worker_writes_what_it_has_when_the_service_ends(bentoml: bool, folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    changes = {"drain_seconds": 0.2, "prediction_log": {"url": str(log), "redact": ["age"]}}
    environment = {SERVING_VARIABLE: json.dumps(changes)}
    with Server(folder, settings(tmp_path), bentoml=bentoml, environment=environment) as server:
        ids = predict(server)
        written = "modelyard_prediction_log_rows_total"
        assert figure(httpx.get(f"{server.url}/metrics", timeout=30).text, written, outcome="dropped") == 0
    frame = load_data(log)
    assert sorted(frame["(id)"]) == sorted(ids)
    assert frame["(version)"].nunique() == 1
    assert "age" not in frame
    assert len(list(log.rglob("*.parquet"))) == 2
    assert pd.Timestamp.now(tz="UTC") - frame["(time)"].min() < pd.Timedelta(minutes=5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"feedback_key_file": "/nowhere/key"}, "serving.feedback_key_file: /nowhere/key cannot be read"),
        ({"prediction_log": {"url": "nowhere://x"}}, "serving.prediction_log.url: nowhere://x cannot be used"),
        ({"prediction_log": {"url": "/tmp", "redact": ["agee"]}}, "there is no column 'agee'"),
    ],
)
@pytest.mark.parametrize("bentoml", [False, True])
def test_what_cannot_work_ends_the_service_with_a_sentence(
    bentoml: bool, folder: Path, changes: dict[str, object], sentence: str
) -> None:
    from modelyard.errors import ServiceError

    with (
        pytest.raises(ServiceError, match=sentence.replace(".", r"\.")),
        Server(folder, bentoml=bentoml, environment={SERVING_VARIABLE: json.dumps(changes)}),
    ):
        pass


def test_a_slow_storage_does_not_show_in_a_scrape(folder: Path, tmp_path: Path) -> None:
    changes = {"prediction_log": {"url": str(tmp_path / "log"), "seconds": 0.2}}
    with Server(folder, settings(tmp_path), environment={SERVING_VARIABLE: json.dumps(changes)}) as server:
        predict(server)

        def written() -> bool:
            metrics = httpx.get(f"{server.url}/metrics", timeout=30).text
            return figure(metrics, "modelyard_prediction_log_rows_total", outcome="written") == REQUESTS * ROWS

        until(written)
