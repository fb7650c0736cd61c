"""The access log of a served process, and that no feature value gets into a log unless it was asked for."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from malformed_bodies import GOOD
from modelyard.config.models import ServingSettings
from modelyard.monitoring.access import make_access_log
from served_model import make_table, save_served
from served_process import Process, served

MARKER = "Zanzibar7731"
GOOD_ROW = {**GOOD, "model_config": MARKER, "age": 77.31}
ROUTER = """
from fastapi import APIRouter

router = APIRouter()

@router.get("/mine/{value}")
async def answer(value: str) -> float:
    return float(value)
"""


def ask(client: httpx.Client) -> dict[str, httpx.Response]:
    """Requests of every kind, each with the marker as its value."""
    return {
        "answered": client.post("/predict", json={"rows": [{**GOOD_ROW, "age": 77}, {**GOOD_ROW, "age": 77}]}),
        "wrong": client.post("/predict", json={"rows": [{**GOOD_ROW, "age": MARKER, MARKER: MARKER}]}),
        "late": client.post("/predict", json={"rows": [{**GOOD_ROW, "seen at": MARKER}]}),
        "broken": client.post("/predict", content=f'{{"rows": [{{"age": "{MARKER}'),
        "tensors": client.post("/v2/models/people/infer", json={"id": MARKER, "inputs": [{"name": MARKER}]}),
        "path": client.get(f"/v2/models/{MARKER}"),
        "elsewhere": client.get(f"/{MARKER}", params={MARKER: MARKER}),
        "crashed": client.get(f"/mine/{MARKER}"),
    }


STATUS = {
    "answered": 200,
    "wrong": 422,
    "late": 422,
    "broken": 400,
    "tensors": 400,
    "path": 404,
    "elsewhere": 404,
    "crashed": 500,
}
ROUTE = {"tensors": "/v2/models/NAME/infer", "path": "/v2/", "elsewhere": "other", "crashed": "/mine/{value}"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", make_table())


@pytest.fixture(scope="module")
def plain(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, dict[str, httpx.Response]]]:
    """A process that writes a line for each request, and what it answered."""
    with serving(model, tmp_path_factory.mktemp("plain"), "serving.access_log=all") as process:
        yield process, ask(process.client)


def serving(model: Path, folder: Path, *overrides: str) -> Any:
    (folder / "mine.py").write_text(ROUTER)
    return served(model, folder, {"PYTHONPATH": str(folder)}, "api.routers=[mine]", *overrides)


@pytest.mark.parametrize("kind", STATUS)
def test_a_line_says_what_became_of_a_request(plain: tuple[Process, dict[str, httpx.Response]], kind: str) -> None:
    process, answers = plain
    answer = answers[kind]
    line = process.line_of(answer)
    assert answer.status_code == line["status"] == STATUS[kind]
    assert dt.datetime.fromisoformat(line["time"]).utcoffset() == dt.timedelta(0)
    assert line["route"] == ROUTE.get(kind, "/predict")
    assert line["message"] == f"{answer.request.method} {line['route']} {line['status']}"
    assert line["level"] == ("ERROR" if kind == "crashed" else "INFO")
    assert (line["model"], line.get("rows")) == ("people", 2 if kind == "answered" else None)
    assert 0 < line["duration_ms"] < 60_000


def test_no_line_holds_a_value(plain: tuple[Process, dict[str, httpx.Response]]) -> None:
    process, answers = plain
    for answer in answers.values():
        process.line_of(answer)
    failed = [line for line in process.lines() if "exception" in line]
    assert failed[0]["request_id"] == answers["crashed"].headers["x-request-id"]
    text = process.log.read_text()
    assert MARKER not in text
    assert "77" not in "".join(line["message"] for line in process.lines() if line["logger"] == "modelyard.access")


def test_values_are_there_where_they_were_asked_for(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path, "serving.access_log=all", "serving.log_features=true") as process:
        answers = ask(process.client)
        lines = {kind: process.line_of(answer) for kind, answer in answers.items()}
    for kind in ("answered", "wrong", "broken"):
        assert lines[kind]["body"] == answers[kind].request.content.decode()
    assert "detail" not in lines["answered"]
    assert json.loads(lines["wrong"]["detail"])["errors"][0]["received"]


def test_by_default_only_what_was_refused_gets_a_line(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as process:
        process.client.get("/readyz")
        answers = ask(process.client)
        process.line_of(answers["crashed"])
    lines = [line for line in process.lines() if line["logger"] == "modelyard.access"]
    assert sorted(line["status"] for line in lines) == sorted(STATUS.values())[1:]


def test_without_a_log_of_a_service_there_are_no_lines() -> None:
    assert make_access_log(ServingSettings(access_log="all"), "people", "1") is None
