from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import pandas as pd
import pytest
from fastapi import APIRouter, Depends, FastAPI
from jsonschema import Draft202012Validator

from figures import figure
from malformed_bodies import GOOD, MALFORMED, Malformed
from modelyard.api.app import create_app
from modelyard.api.service import ModelService, get_model_service
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.errors import ConfigError
from modelyard.models.artifact import load_model
from served_model import json_rows, make_contract, make_table, save_served

Ask = Callable[..., httpx.Response]


def test_health_says_what_is_served(ask: Ask, folder: Path) -> None:
    assert ask("GET", "/api/v1/health").json() == {
        "status": "ok",
        "model": {"name": "people", "version": load_model(folder).version},
        "served": "compiled",
        "reason": "",
        "parity": {"rows": 10_200, "failures": 0, "worst_difference": 2e-7},
    }


def test_contract_is_the_model_s(ask: Ask, folder: Path) -> None:
    contract = load_model(folder).contract
    document = ask("GET", "/api/v1/contract").json()
    assert document.pop("digest") == contract.digest
    assert document == contract.model_dump(mode="json")


@pytest.mark.parametrize("task", ["binary", "multiclass", "flag", "regression", "instant"])
def test_two_hundred_answers_are_the_model_s(task: str, tmp_path: Path, ask_app: Callable[[FastAPI], Ask]) -> None:
    frame = make_table(task)
    folder = save_served(tmp_path / "model", frame)
    model = load_model(folder)
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    rows = json_rows(frame[:200], model.contract)
    answer = asked("POST", "/api/v1/predict", json={"rows": rows}).json()
    assert answer["model"] == {"name": "people", "version": model.version}
    predictions, expected = answer["predictions"], model.predict(frame[:200])
    if not model.contract.target.classes:
        np.testing.assert_array_equal([prediction["value"] for prediction in predictions], expected)
        return
    classes = [str(label).lower() if task == "flag" else str(label) for label in model.classes_]
    assert [prediction["label"] for prediction in predictions] == expected.tolist()
    assert {type(prediction["label"]) for prediction in predictions} == {type(model.contract.target.classes[0])}
    assert len(set(expected.tolist())) > 1
    probabilities = [[prediction["probabilities"][name] for name in classes] for prediction in predictions]
    np.testing.assert_array_equal(np.float32(probabilities), model.predict_proba(frame[:200]))


def test_rows_may_be_lists_of_values_in_any_order(ask: Ask) -> None:
    named = ask("POST", "/api/v1/predict", json={"rows": [GOOD]}).json()
    assert ask("POST", "/api/v1/predict", json={"rows": [list(GOOD.values())]}).json() == named
    backwards = {"rows": [list(GOOD.values())[::-1]], "columns": list(GOOD)[::-1]}
    assert ask("POST", "/api/v1/predict", json=backwards).json() == named
    assert ask("POST", "/predict", json={"rows": [GOOD, list(GOOD.values())]}).json()["predictions"] == (
        named["predictions"] * 2
    )


def test_unknown_categories_nulls_and_offsets_are_answered_as_the_encoding_says(ask: Ask) -> None:
    def predict(**changes: Any) -> Any:
        answer = ask("POST", "/api/v1/predict", json={"rows": [{**GOOD, **changes}]})
        assert answer.status_code == 200, answer.text
        return answer.json()["predictions"][0]

    assert predict(model_config="never seen") == predict(model_config="nor this") != predict()
    assert predict(**{"education-num": None}) != predict()
    assert predict(age=None)
    assert predict(json="2") == predict(json=2.0) == predict(json=2)
    assert predict(**{"seen at": "2024-02-01T12:00:00+02:00"}) == predict()
    assert ask("POST", "/predict", content=b'{"rows": 1, "rows": [%s]}' % json.dumps(GOOD).encode()).status_code == 200


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda malformed: malformed.name)
def test_a_malformed_body_is_refused_field_by_field(malformed: Malformed, ask: Ask) -> None:
    answer = ask("POST", "/api/v1/predict", content=malformed.body)
    assert answer.status_code == malformed.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (malformed.status, "about:blank")
    assert problem["detail"]
    assert tuple(error["path"] for error in problem["errors"]) == malformed.paths
    assert all(error["expected"] and error["received"] and error["detail"] for error in problem["errors"])


def test_a_refusal_says_what_was_expected_what_came_and_the_nearest_name(ask: Ask) -> None:
    problem = ask(
        "POST", "/api/v1/predict", json={"rows": [[*list(GOOD.values())[:-1], []], {**GOOD, "agee": 1}]}
    ).json()
    assert [error["detail"] for error in problem["errors"]] == [
        "/rows/0/5 (column 'json'): expected a text or a number or null, not []",
        "/rows/1/agee: expected a column of the contract, not \"agee\"; did you mean 'age'?",
    ]
    assert problem["detail"].endswith("(and 1 more)")


def test_errors_are_listed_up_to_a_hundred(ask: Ask) -> None:
    problem = ask("POST", "/api/v1/predict", json={"rows": [{name: [] for name in GOOD}] * 200}).json()
    assert len(problem["errors"]) == 100
    endless = {"rows": [{**GOOD, **{f"{number}{'x' * 1000}": 1 for number in range(3000)}}]}
    assert len(ask("POST", "/api/v1/predict", json=endless).json()["errors"]) == 100
    for body in ({"rows": [{"x" * 10**6: 1}]}, {"rows": [GOOD], "x" * 10**6: 1}):
        assert len(ask("POST", "/api/v1/predict", json=body).content) < 5_000


def test_the_contract_may_refuse_nulls_unknown_categories_and_ranges(
    frame: pd.DataFrame, tmp_path: Path, ask_app: Callable[[FastAPI], Ask]
) -> None:
    strict = make_contract(
        frame,
        age={"on_null": "refuse", "on_range": "refuse"},
        model_config={"on_unknown": "refuse"},
        **{"seen at": {"on_range": "refuse"}},
    )
    folder = save_served(tmp_path / "model", frame, strict)
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    wrong = [{"age": None}, {"age": 200}, {"model_config": "new"}, {"seen at": "1999-01-01"}]
    assert asked("POST", "/predict", json={"rows": [GOOD]}).status_code == 200
    for change in wrong:
        answer = asked("POST", "/predict", json={"rows": [{**GOOD, **change}]})
        assert [error["path"] for error in answer.json()["errors"]] == [f"/rows/0/{next(iter(change))}"]


def test_every_other_error_has_the_same_shape(ask: Ask) -> None:
    answers = {
        404: ask("GET", "/api/v1/nothing"),
        405: ask("GET", "/api/v1/predict"),
        415: ask("POST", "/api/v1/predict", content=b"<a/>", headers={"Content-Type": "text/xml"}),
    }
    for status, answer in answers.items():
        assert (answer.status_code, answer.json()["status"]) == (status, status)
        assert answer.headers["content-type"] == "application/problem+json"
    assert answers[405].headers["allow"] == "POST"


def test_openapi_is_valid_and_its_example_is_answered(ask: Ask) -> None:
    document = ask("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    operation = document["paths"]["/api/v1/predict"]["post"]
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    references = {part.split('"')[0] for part in json.dumps(document).split('"#/components/schemas/')[1:]}
    assert references <= set(schemas)
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    root = {**request, "components": document["components"]}
    example = schemas["PredictRequest"]["example"]
    Draft202012Validator(root).validate(example)
    assert not Draft202012Validator(root).is_valid({"rows": [{**GOOD, "age": "39"}]})
    answer = ask("POST", "/api/v1/predict", json=example)
    assert answer.status_code == 200
    answered = operation["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**answered, "components": document["components"]}).validate(answer.json())
    problem = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
    refused = ask("POST", "/api/v1/predict", json={}).json()
    Draft202012Validator({**problem, "components": document["components"]}).validate(refused)
    assert ask("GET", "/docs").status_code == 200


def test_metrics_count_by_template_and_never_by_path(
    folder: Path, frame: pd.DataFrame, ask_app: Callable[[FastAPI], Ask]
) -> None:
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    rows = json_rows(frame[:50], load_model(folder).contract)
    labels = [answer["label"] for answer in asked("POST", "/api/v1/predict", json={"rows": rows}).json()["predictions"]]
    asked("POST", "/api/v1/predict", content=b"{}")
    asked("GET", "/api/v1/secret-path")
    text = asked("GET", "/metrics").text
    for code, route in (("200", "/api/v1/predict"), ("422", "/api/v1/predict"), ("404", "other")):
        assert figure(text, "modelyard_requests_total", code=code, route=route) == 1
    assert figure(text, "modelyard_request_seconds_count", route="/api/v1/predict") == 2
    assert "modelyard_rows_total 50.0" in text
    for label in set(labels):
        assert f'modelyard_predictions_total{{class="{label}"}} {labels.count(label)}.0' in text
    assert "secret-path" not in text


@pytest.fixture
def custom_module(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.ModuleType("my_routers")
    router = APIRouter()

    @router.get("/api/v1/names")
    async def names(service: Annotated[ModelService, Depends(get_model_service)]) -> list[str]:
        return list(service.models)

    @router.get("/api/v1/number/{number}")
    async def number(number: int) -> int:
        return 1 // number

    module.router = router  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_routers", module)
    return "my_routers:router"


def test_routers_of_one_s_own_are_mounted(custom_module: str, folder: Path, ask_app: Callable[[FastAPI], Ask]) -> None:
    settings = Settings.model_validate({"api": {"routers": [custom_module]}})
    asked = ask_app(create_app(load_served(folder, settings), settings))
    assert asked("GET", "/api/v1/names").json() == ["people"]
    assert asked("GET", "/api/v1/number/x").json()["errors"][0]["path"] == "/number"
    fault = asked("GET", "/api/v1/number/0")
    assert (fault.status_code, fault.headers["content-type"]) == (500, "application/problem+json")
    assert "division" not in fault.text


@pytest.mark.parametrize("name", ["no_such_module:router", "my_routers:ruter", ":", ""])
def test_a_router_that_is_not_there_is_named(name: str, custom_module: str, folder: Path) -> None:
    settings = Settings.model_validate({"api": {"routers": [custom_module, name]}})
    with pytest.raises(ConfigError, match=r"^api\.routers\.1: "):
        create_app(load_served(folder, settings), settings)
