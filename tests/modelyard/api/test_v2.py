from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI

from figures import figure
from malformed_bodies import GOOD
from modelyard import __version__
from modelyard.api.app import create_app
from modelyard.api.serving import Serving
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.models.artifact import load_model
from served_model import json_rows, make_contract, make_table, save_served
from tensor_requests import DATATYPES, INFER, MODEL, NUMPY, Document, document, packed

Ask = Callable[..., httpx.Response]


def infer(ask: Ask, request: Document, **further: Any) -> dict[str, list[Any]]:
    answer = ask("POST", INFER, content=json.dumps(request), **further)
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


def of_two(folder: Path, ask_app: Callable[[FastAPI], Ask]) -> Ask:
    return ask_app(create_app(load_served(folder, Settings()), Settings()))


def test_server_and_model_say_what_they_are(ask: Ask, folder: Path) -> None:
    version = load_model(folder).version
    assert ask("GET", "/v2").json() == {
        "name": "modelyard",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    about = ask("GET", MODEL).json()
    assert about == ask("GET", f"{MODEL}/versions/{version}").json()
    assert (about["name"], about["versions"], about["platform"]) == ("people", [version], "onnxruntime_onnx")
    assert about["inputs"] == [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in DATATYPES.items()]
    assert about["outputs"] == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ]


def test_health_is_live_while_it_drains_and_ready_before(ask: Ask, folder: Path) -> None:
    assert ask("GET", "/v2/health/live").json() == {"live": True}
    assert ask("GET", "/v2/health/ready").json() == {"ready": True}
    version = load_model(folder).version
    for path in (MODEL, f"{MODEL}/versions/{version}"):
        assert ask("GET", f"{path}/ready").json() == {"name": "people", "ready": True}
    endpoints: Any = Serving(load_served(folder, Settings()), Settings()).endpoints
    assert endpoints["/v2/health/live"].answer(True).status == 200
    for path in ("/v2/health/ready", f"{MODEL}/ready"):
        draining = endpoints[path].answer(True)
        assert (draining.status, json.loads(draining.body)["ready"]) == (503, False)


@pytest.mark.parametrize("path", ["/v2/", "/v2/models", "/v2/models/nobody", f"{MODEL}/versions/0/infer", f"{INFER}/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_there_is_an_error_of_the_protocol(method: str, path: str, ask: Ask) -> None:
    answer = ask(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert "'people' is served in version" in answer.json()["error"]


def test_another_method_is_told_the_right_one(ask: Ask) -> None:
    answer = ask("GET", INFER)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"] == f"{INFER} does not answer GET; it answers POST"


@pytest.mark.parametrize("task", ["binary", "multiclass", "flag", "regression", "instant"])
@pytest.mark.parametrize("binary", [False, True])
def test_two_hundred_answers_are_the_model_s(
    task: str, binary: bool, tmp_path: Path, ask_app: Callable[[FastAPI], Ask]
) -> None:
    frame = make_table(task)
    folder = save_served(tmp_path / "model", frame)
    model, asked = load_model(folder), of_two(folder, ask_app)
    rows = json_rows(frame[:200], model.contract)
    request = document(rows, id="an id", parameters={"binary_data_output": binary})
    content, headers = packed(request) if binary else (json.dumps(request).encode(), {})
    answer = asked("POST", INFER, content=content, headers=headers)
    length = int(answer.headers.get("inference-header-content-length", len(answer.content)))
    about = json.loads(answer.content[:length])
    assert (about["id"], about["model_name"], about["model_version"]) == ("an id", "people", model.version)
    assert [output["name"] for output in about["outputs"]] == (
        ["label", "probabilities"] if model.contract.target.classes else ["value"]
    )
    scores = about["outputs"][-1]
    datatype = "FP64" if task == "instant" else "FP32"
    assert scores["datatype"] == asked("GET", MODEL).json()["outputs"][-1]["datatype"] == datatype
    if binary:
        assert answer.headers["content-type"] == "application/octet-stream"
        values = np.frombuffer(answer.content[-scores["parameters"]["binary_data_size"] :], NUMPY[datatype])
    else:
        values = np.array(scores["data"], NUMPY[datatype])
        if model.contract.target.classes:
            assert about["outputs"][0]["data"] == model.predict(frame[:200]).tolist()
            kind = {"binary": "BYTES", "multiclass": "INT64", "flag": "BOOL"}[task]
            assert about["outputs"][0]["datatype"] == kind
    np.testing.assert_array_equal(values.reshape(scores["shape"]), model.scorer(model.encode(frame[:200])))


@pytest.fixture(scope="module")
def numeric(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    frame = make_table()[["age", "education-num", "target"]]
    return frame, save_served(tmp_path_factory.mktemp("numeric") / "people", frame)


@pytest.mark.parametrize(("datatype", "name"), [("FP64", "input"), ("FP32", "input-0")])
def test_numbers_alone_may_come_in_one_tensor(
    datatype: str, name: str, numeric: tuple[pd.DataFrame, Path], ask_app: Callable[[FastAPI], Ask]
) -> None:
    frame, folder = numeric
    asked, model = of_two(folder, ask_app), load_model(folder)
    matrix = frame.drop(columns="target").to_numpy(np.float64)
    raw = matrix.astype(NUMPY[datatype])
    tensor = {"name": name, "datatype": datatype, "shape": list(raw.shape)}
    nested = [[None if value != value else value for value in row] for row in raw.tolist()]
    parameters = {"binary_data_size": raw.nbytes}
    header = json.dumps({"inputs": [{**tensor, "parameters": parameters}]}).encode()
    length = {"Inference-Header-Content-Length": str(len(header))}
    answers = [
        asked("POST", INFER, json={"inputs": [{**tensor, "data": nested}]}),
        asked("POST", INFER, json={"inputs": [{**tensor, "data": [value for row in nested for value in row]}]}),
        asked("POST", INFER, content=header + raw.tobytes(), headers=length),
    ]
    expected = model.scorer(model.encode(pd.DataFrame(raw, columns=model.contract.names)))
    for answer in answers:
        np.testing.assert_array_equal(np.float32(answer.json()["outputs"][1]["data"]).reshape(len(frame), -1), expected)


def test_a_wrong_number_in_the_one_tensor_is_named_by_its_column(
    numeric: tuple[pd.DataFrame, Path], ask_app: Callable[[FastAPI], Ask]
) -> None:
    asked = of_two(numeric[1], ask_app)
    tensor = {"name": "input", "datatype": "FP64", "shape": [2, 2], "data": [30, 1, 30.5, 1e999]}
    problem = asked("POST", INFER, content=json.dumps({"inputs": [tensor]})).json()
    assert [error["detail"] for error in problem["errors"]] == [
        '/inputs/0/data/1/0 (tensor "age"): expected a whole number or null, not 30.5',
        '/inputs/0/data/1/1 (tensor "education-num"): expected a number or null, not Infinity',
    ]
    for shape in ([4], [4, 1], [0, 2], [1, 4], [2, 2, 1]):
        answer = asked("POST", INFER, json={"inputs": [{**tensor, "shape": shape, "data": [1, 2, 3, 4]}]})
        assert answer.status_code == 422
        assert 'tensor "input"' in answer.json()["error"]
    texts = asked("POST", INFER, json={"inputs": [{**tensor, "datatype": "BYTES", "data": ["1"] * 4}]})
    assert (texts.status_code, texts.json()["errors"][0]["path"]) == (422, "/inputs/0/datatype")


def test_datatypes_of_numbers_are_alike(ask: Ask) -> None:
    expected = infer(ask, document())
    for name, datatype, data in [
        ("age", "FP32", [39.0, 39]),
        ("age", "UINT8", [39, 39]),
        ("_copy", "FP64", [1.0, 1]),
        ("_copy", "INT8", [1, 1]),
        ("json", "INT64", [2, 2]),
        ("json", "FP64", [2.0, 2.0]),
        ("education-num", "FP16", [[13], [13.0]]),
    ]:
        request = document()
        tensor = request["inputs"][list(DATATYPES).index(name)]
        tensor |= {"datatype": datatype, "data": data, "shape": list(np.shape(data))}
        assert infer(ask, request) == expected


@pytest.mark.parametrize("null", [None, "", "None", "nan", "<NA>", "NaT"])
def test_a_null_of_bytes_is_what_clients_make_of_theirs(null: str | None, ask: Ask) -> None:
    for name in ("model_config", "seen at", "json"):
        one = ask("POST", "/api/v1/predict", json={"rows": [{**GOOD, name: None}]}).json()["predictions"][0]
        found = infer(ask, document([{**GOOD, name: null}]))
        assert found["probabilities"] == list(one["probabilities"].values())


def test_a_category_of_that_name_is_no_null(tmp_path: Path, ask_app: Callable[[FastAPI], Ask]) -> None:
    frame = make_table()
    frame["model_config"] = frame["model_config"].replace("?", "None")
    asked = of_two(save_served(tmp_path / "model", frame), ask_app)
    none, empty, unknown = (
        infer(asked, document([{**GOOD, "model_config": text}])) for text in ("None", "", "never seen")
    )
    assert none != empty != unknown != none


def test_nulls_are_nan_in_floats_and_null_in_json(ask: Ask) -> None:
    expected = infer(ask, document([{**GOOD, "education-num": None, "_copy": None, "age": None}]))
    request = document([{**GOOD, "education-num": float("nan")}])
    for place in (0, 4):
        request["inputs"][place] |= {"datatype": "FP32", "data": [float("nan")]}
    assert infer(ask, request) == expected
    signalling = np.array([0x7FA00000], dtype="<u4").tobytes()
    request["inputs"][0] |= {"parameters": {"binary_data_size": 4}}
    del request["inputs"][0]["data"]
    body = json.dumps(request).encode()
    headers = {"Inference-Header-Content-Length": str(len(body))}
    answer = ask("POST", INFER, content=body + signalling, headers=headers)
    assert [output["data"] for output in answer.json()["outputs"]] == list(expected.values())


def test_a_column_with_nulls_may_be_left_out(ask: Ask) -> None:
    request = document()
    del request["inputs"][1]
    assert infer(ask, request) == infer(ask, document([{**GOOD, "education-num": None}] * 2))


def test_outputs_come_as_they_are_wanted(ask: Ask) -> None:
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
    answer = ask("POST", INFER, json=document(outputs=wanted))
    length = int(answer.headers["inference-header-content-length"])
    first, second = json.loads(answer.content[:length])["outputs"]
    assert (first["name"], first["parameters"], first.get("data")) == ("probabilities", {"binary_data_size": 16}, None)
    assert (second["name"], second["data"]) == ("label", [">50K"] * 2)
    assert len(answer.content) == length + 16
    mixed = document(outputs=[{"name": "label", "parameters": {"binary_data": False}}])
    assert infer(ask, {**mixed, "parameters": {"binary_data_output": True}}) == {"label": second["data"]}


def test_what_the_contract_refuses_is_named_and_what_it_takes_is_counted(
    frame: pd.DataFrame, tmp_path: Path, ask_app: Callable[[FastAPI], Ask]
) -> None:
    refuse = {"on_null": "refuse", "on_unknown": "refuse", "on_range": "refuse"}
    contract = make_contract(frame, age=refuse, json=refuse)
    asked = of_two(save_served(tmp_path / "model", frame, contract), ask_app)
    bad = {**GOOD, "age": 200, "json": 7, "seen at": "1970-01-01"}
    answer = asked("POST", INFER, json=document([GOOD, bad, {**GOOD, "json": None}]))
    assert answer.status_code == 422
    assert [(error["path"], error["received"]) for error in answer.json()["errors"]] == [
        ("/inputs/0/data/1", "200.0"),
        ("/inputs/5/data/1", '"7"'),
        ("/inputs/5/data/2", "null"),
    ]
    infer(asked, document([{**GOOD, "seen at": "1970-01-01"}]))
    text = asked("GET", "/metrics").text
    assert figure(text, "modelyard_contract_violations_total", column="seen at", kind="range") == 1
    assert figure(text, "modelyard_rows_total") == 1
    assert figure(text, "modelyard_requests_total", code="422", route="/v2/models/NAME/infer") == 1


def test_a_packed_request_may_be_compressed(ask: Ask) -> None:
    content, headers = packed(document())
    answer = ask("POST", INFER, content=gzip.compress(content), headers={**headers, "Content-Encoding": "gzip"})
    assert answer.status_code == 200


def test_a_key_is_asked_for_below_v2_as_elsewhere(
    folder: Path, tmp_path: Path, ask_app: Callable[[FastAPI], Ask]
) -> None:
    (tmp_path / "keys").write_text("0" * 64 + "\n")
    settings = Settings.model_validate({"serving": {"keys_file": str(tmp_path / "keys")}})
    asked = ask_app(create_app(load_served(folder, settings), settings))
    for path in ("/v2", MODEL, "/v2/models/nobody"):
        answer = asked("GET", path)
        assert (answer.status_code, "a key is needed" in answer.json()["error"]) == (401, True)
    assert asked("GET", "/v2/health/live").status_code == 200


def test_openapi_has_an_example_that_is_answered(ask: Ask) -> None:
    found = ask("GET", "/openapi.json").json()
    assert {path for path in found["paths"] if path.startswith("/v2")} == {
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        MODEL,
        f"{MODEL}/ready",
        INFER,
    }
    content = found["paths"][INFER]["post"]["requestBody"]["content"]["application/json"]
    assert len(infer(ask, content["example"])["label"]) == 1
    assert {"InferRequest", "InferAnswer", "Tensor", "V2Problem"} <= found["components"]["schemas"].keys()
