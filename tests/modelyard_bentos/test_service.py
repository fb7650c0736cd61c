"""A server of two workers, our own and BentoML's, asked over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from malformed_bodies import GOOD, MALFORMED
from modelyard.config.models import Settings
from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from modelyard_bentos.packaging import Packed
from served_model import json_rows

ASK_BY_CLIENTS = """
import asyncio, json, sys
import bentoml

url, row = sys.argv[1], json.loads(sys.argv[2])

async def ask():
    async with bentoml.AsyncHTTPClient(url) as client:
        return await client.predict(rows=[row, list(row.values())])

with bentoml.SyncHTTPClient(url) as client:
    answers = [
        client.predict(rows=[row]),
        client.predict([list(row.values())], list(row)),
        client.predict(rows=[row, {**row, "model_config": None, "education-num": None}]),
    ]
    try:
        client.predict(rows=[{**row, "agee": 1}])
    except bentoml.exceptions.BentoMLException as error:
        refusal = str(error)
print(json.dumps([*answers, asyncio.run(ask()), refusal]))
"""


def post(server: Server, path: str, **body: Any) -> httpx.Response:
    return httpx.post(server.url + path, timeout=30, **body)


def test_two_hundred_answers_are_the_model_s(server: Server, folder: Path, frame: pd.DataFrame) -> None:
    model = load_model(folder)
    predictions = server.predict(json_rows(frame[:200], model.contract))
    assert [prediction["label"] for prediction in predictions] == model.predict(frame[:200]).tolist()
    probabilities = [list(prediction["probabilities"].values()) for prediction in predictions]
    np.testing.assert_array_equal(np.float32(probabilities), model.scorer(model.encode(frame[:200])))
    one_by_one = [server.predict([row])[0] for row in json_rows(frame[:20], model.contract)]
    assert one_by_one == predictions[:20]


def test_bentoml_s_own_clients_work(server: Server) -> None:
    command = [sys.executable, "-c", ASK_BY_CLIENTS, server.url, json.dumps(GOOD)]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    named, values, several, both, refusal = json.loads(asked.stdout.splitlines()[-1])
    expected = post(server, "/api/v1/predict", json={"rows": [GOOD]}).json()
    assert named == values == expected
    assert several["predictions"][0] == expected["predictions"][0] != several["predictions"][1]
    assert both["predictions"] == expected["predictions"] * 2
    assert "did you mean 'age'" in refusal


@pytest.mark.parametrize("path", ["/predict", "/api/v1/predict"])
def test_malformed_bodies_are_refused_field_by_field(path: str, server: Server) -> None:
    wrong = {}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for malformed in MALFORMED:
            answer = client.post(path, content=malformed.body, headers={"Content-Type": "application/json"})
            problem = answer.json()
            found = (answer.status_code, tuple(error["path"] for error in problem["errors"]))
            if found != (malformed.status, malformed.paths):
                wrong[malformed.name] = (found, answer.text)
    assert len(MALFORMED) >= 25
    assert wrong == {}


def test_every_endpoint_is_there(server: Server, packed: Packed) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        health = client.get("/api/v1/health").json()
        assert f"{health['model']['name']}:{health['model']['version']}" == packed.tag
        assert client.get("/api/v1/contract").json()["target"]["name"] == "target"
        for path in ("/docs", "/", "/livez", "/healthz", "/readyz", "/schema.json"):
            assert client.get(path).status_code == 200, path
        assert 'src="page/page.js"' in client.get("/").text
        assert client.get("/page/page.js").headers["content-security-policy"].startswith("default-src 'self'")
        assert client.get("/page/nothing").json()["status"] == 404
        assert client.get("/api/v1/nothing").json()["status"] == 404
        assert client.get("/api/v1/predict").json()["status"] == 405
        assert client.post("/predict", content=b"a=1", headers={"Content-Type": "text/plain"}).json()["status"] == 415
        # a mount at a path answers a POST to it with a redirect
        assert client.post("/api/v1/predict", json={"rows": [GOOD]}).status_code == 200


def test_without_the_page_there_is_none_of_bentoml_s_either(folder: Path) -> None:
    with Server(folder, Settings.model_validate({"serving": {"page": False}}), bentoml=True) as without:
        for path in ("/", "/page/page.js", "/api/v1/live"):
            answer = httpx.get(without.url + path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


def test_openapi_has_the_contract_s_types(server: Server) -> None:
    document = httpx.get(server.url + "/openapi.json").json()
    root = {"$ref": "#/components/schemas/PredictRequest", "components": document["components"]}
    example = document["components"]["schemas"]["PredictRequest"]["example"]
    Draft202012Validator(root).validate(example)
    assert post(server, "/predict", json=example).status_code == 200
    columns = document["components"]["schemas"]["Row"]["properties"]
    assert {name: column["anyOf"][0].get("type") for name, column in columns.items()} == {
        "age": "integer",
        "education-num": "number",
        "model_config": "string",
        "seen at": "string",
        "_copy": "boolean",
        "json": ["string", "number"],
    }


def test_no_training_library_is_loaded(packed: Packed, tmp_path: Path) -> None:
    code = (
        "import sys, modelyard_bentos.service as s; s._app().openapi(); "
        "print(s.__file__); print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(packed.path / 'src')!r}); {code}"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown[-2].startswith(str(packed.path))
    loaded = set(shown[-1].split())
    assert {"onnxruntime", "fastapi"} <= loaded
    assert not loaded & {"sklearn", "pandas", "scipy", "lightgbm", "hydra", "onnx", "joblib"}


def test_the_process_above_the_workers_loads_no_model(packed: Packed, tmp_path: Path) -> None:
    code = "import modelyard_bentos.service as s; print(s._serving.cache_info().currsize, s._app.cache_info().currsize)"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(packed.path / 'src')!r}); {code}"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown[-1] == "0 0"
