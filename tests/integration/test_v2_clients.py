"""The Open Inference Protocol as its own clients speak it: tritonclient's and KServe's, unmodified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from served_model import json_rows, make_table, save_served

# an environment is made from a registry, so this is no part of the tests that a machine without one can run
pytestmark = pytest.mark.extras

CLIENTS = ("tritonclient[http]==2.73.0", "kserve==0.21.0")
ROWS = 40

TRITON = """
import json, sys
import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

url, name, columns, matrix = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4] == "matrix"
client = InferenceServerClient(url.removeprefix("http://"))
metadata = client.get_model_metadata(name)
version, outputs = metadata["versions"][0], [output["name"] for output in metadata["outputs"]]

def tensor(name, values, datatype, binary):
    made = InferInput(name, list(values.shape), datatype)
    return made.set_data_from_numpy(values, binary_data=binary)

def inputs(binary):
    if matrix:
        return [tensor("input", np.array(list(columns.values()), dtype="f8").T.copy(), "FP64", binary)]
    described = [(each["name"], each["datatype"]) for each in metadata["inputs"]]
    return [tensor(name, np.array(columns[name], triton_to_np_dtype(kind)), kind, binary) for name, kind in described]

def values(result):
    found = {name: result.as_numpy(name) for name in outputs}
    return {
        name: [value.decode() if isinstance(value, bytes) else value for value in array.ravel().tolist()]
        for name, array in found.items()
    }

answers, refusals = [], []
for binary in (False, True):
    for wanted in (None, [InferRequestedOutput(name, binary_data=binary) for name in outputs]):
        result = client.infer(name, inputs(binary), outputs=wanted, request_id="the id")
        assert result.get_response()["id"] == "the id"
        answers.append(values(result))
answers.append(values(client.infer(name, inputs(True), model_version=version, request_compression_algorithm="gzip")))
wrong = inputs(True)
wrong[0] = tensor("agee", np.zeros(1), "FP64", True)
for call in (
    lambda: client.infer(name, wrong),
    lambda: client.infer("nobody", inputs(False)),
    lambda: client.get_model_metadata("nobody"),
    lambda: client.infer(name, inputs(True), outputs=[InferRequestedOutput(outputs[0], class_count=2)]),
):
    try:
        call()
    except InferenceServerException as error:
        refusals.append([error.status(), error.message()])
ready = [
    client.is_server_live(), client.is_server_ready(),
    client.is_model_ready(name), client.is_model_ready(name, version),
    not client.is_model_ready("nobody"), not client.is_model_ready(name, "0"),
]
print(json.dumps([ready, client.get_server_metadata(), metadata, answers, refusals]))
"""

KSERVE = """
import asyncio, json, sys
import httpx
import numpy as np
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from kserve.utils.numpy_codec import to_np_dtype

url, name, columns, matrix = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4] == "matrix"

def tensor(name, datatype, values, binary):
    made = InferInput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=binary)
    return made

def inputs(metadata, binary):
    if matrix:
        return [tensor("input-0", "FP64", np.array(list(columns.values()), dtype="f8").T.copy(), binary)]
    return [
        tensor(each["name"], each["datatype"], np.array(columns[each["name"]], to_np_dtype(each["datatype"])), binary)
        for each in metadata["inputs"]
    ]

def values(answer):
    return {output.name: output.data for output in answer.outputs}

async def ask():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    metadata = httpx.get(f"{url}/v2/models/{name}").json()
    answers, refusals = [], []
    for binary in (False, True):
        parameters = {"binary_data_output": True} if binary else None
        request = InferRequest(name, inputs(metadata, binary), request_id="the id", parameters=parameters)
        answer = await client.infer(url, request, model_name=name)
        assert answer.id == "the id"
        answers.append(values(answer))
    plain = [
        {"name": each.name, "datatype": each.datatype, "shape": each.shape, "data": each.data}
        for each in inputs(metadata, False)
    ]
    answers.append(values(await client.infer(url, {"inputs": plain}, model_name=name)))
    wrong = inputs(metadata, True)
    wrong[0] = tensor("agee", "FP64", np.zeros(1), True)
    for asked, given in ((name, wrong), ("nobody", inputs(metadata, False))):
        try:
            await client.infer(url, InferRequest(name, given), model_name=asked)
        except httpx.HTTPStatusError as error:
            refusals.append([error.response.status_code, str(error)])
    ready = [
        await client.is_server_live(url), await client.is_server_ready(url), await client.is_model_ready(url, name),
        not await client.is_model_ready(url, "nobody"),
    ]
    return [ready, metadata, answers, refusals]

print(json.dumps(asyncio.run(ask())))
"""

Ask = Callable[[str], Any]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with both clients and nothing of ours."""
    folder = tmp_path_factory.mktemp("clients")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([*uv, "pip", "install", "--python", str(python), *CLIENTS], check=True)
    return python


@pytest.fixture(scope="module", params=["columns", "matrix"])
def form(request: pytest.FixtureRequest) -> str:
    """A mixed table with a tensor for each column, or one of numbers alone with a single tensor."""
    form: str = request.param
    return form


@pytest.fixture(scope="module")
def frame(form: str) -> pd.DataFrame:
    return make_table() if form == "columns" else make_table("regression")[["age", "education-num", "target"]]


@pytest.fixture(scope="module")
def folder(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", frame)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as running:
        yield running


@pytest.fixture(scope="module")
def ask(python: Path, form: str, frame: pd.DataFrame, folder: Path, server: Server, outside: dict[str, str]) -> Ask:
    """Runs a script in the clients' environment, and gives what it printed."""
    contract = load_model(folder).contract
    rows = json_rows(frame[:ROWS], contract)
    columns = json.dumps({name: [row[name] for row in rows] for name in contract.names})

    def ask(script: str) -> Any:
        command = [str(python), "-c", script, server.url, "people", columns, form]
        done = subprocess.run(command, env=outside, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ask


def check(answers: list[dict[str, list[Any]]], folder: Path, frame: pd.DataFrame) -> None:
    """Every answer must be the model's own."""
    model = load_model(folder)
    for answer in answers:
        if not model.contract.target.classes:
            np.testing.assert_array_equal(np.float32(answer["value"]), model.predict(frame[:ROWS]))
            continue
        assert answer["label"] == model.predict(frame[:ROWS]).tolist()
        probabilities = np.float32(answer["probabilities"]).reshape(ROWS, -1)
        np.testing.assert_array_equal(probabilities, model.scorer(model.encode(frame[:ROWS])))


def test_tritonclient_works(ask: Ask, folder: Path, frame: pd.DataFrame) -> None:
    ready, about, metadata, answers, refusals = ask(TRITON)
    assert all(ready)
    assert about["extensions"] == ["binary_tensor_data"]
    assert [each["name"] for each in metadata["inputs"]] == list(load_model(folder).contract.names)
    assert len(answers) == 5
    check(answers, folder, frame)
    named, unknown, described, classification = refusals
    assert named[0] == "422"
    assert '/inputs/0/name (tensor "agee"): expected a column of the contract' in named[1]
    assert "did you mean 'age'?" in named[1]
    assert unknown == described
    assert unknown[0] == "404"
    assert "'people' is served in version" in unknown[1]
    assert classification[0] == "400"
    assert "not classification" in classification[1]


def test_kserve_s_client_works(ask: Ask, folder: Path, frame: pd.DataFrame) -> None:
    ready, _, answers, refusals = ask(KSERVE)
    assert all(ready)
    assert len(answers) == 3
    check(answers, folder, frame)
    (code, sentence), (missing, where) = refusals
    assert code == 422
    assert '/inputs/0/name (tensor "agee"): expected a column of the contract' in sentence
    assert missing == 404
    assert "'people' is served in version" in where
