from __future__ import annotations

import logging
import pickle
import re
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest
from fastapi import APIRouter, Depends, FastAPI
from sklearn.tree import DecisionTreeRegressor

from malformed_bodies import GOOD
from modelyard.api.app import create_app
from modelyard.api.models import PredictionRequest, PredictionResponse
from modelyard.api.service import ModelService, get_model_service
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.errors import ContractViolation, ModelNotFound
from modelyard.models.artifact import load_model
from modelyard.models.model import Model

Ask = Callable[..., httpx.Response]


class Doubling:
    """Anything with predict is a model."""

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return rows.sum(axis=1) * 2

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return np.tile([0.25, 0.75], (len(rows), 1))


def test_predicts_one_row_and_many(folder: Path, frame: pd.DataFrame) -> None:
    service = ModelService()
    assert service.load_model("people", folder)
    model = load_model(folder)
    expected = model.predict(frame[:3]).tolist()
    rows = frame[list(model.contract.names)][:3]
    for features in (rows, rows.to_dict("records"), rows.to_numpy(dtype=object), rows.to_numpy(dtype=object).tolist()):
        predictions, probabilities, timing = service.predict(features, "people", return_probabilities=True)
        assert predictions == expected
        np.testing.assert_array_equal(np.float32(probabilities), model.predict_proba(frame[:3]))
        assert timing["total_ms"] >= timing["predict_ms"] > 0
    for features in (GOOD, list(GOOD.values()), tuple(GOOD.values()), np.array(list(GOOD.values()), dtype=object)):
        predictions, probabilities, _ = service.predict(features=features)
        assert (len(predictions), probabilities) == (1, None)


def test_a_wrong_row_or_name_is_one_sentence(folder: Path) -> None:
    service = ModelService()
    with pytest.raises(ModelNotFound, match="there is none"):
        service.predict([1.0])
    service.load_model("people", folder)
    with pytest.raises(ModelNotFound, match="did you mean 'people'"):
        service.predict([1.0], "peple")
    with pytest.raises(ContractViolation, match="has 1 values where 6"):
        service.predict([1.0])
    with pytest.raises(ContractViolation, match="'old' is not a number"):
        service.predict({**GOOD, "age": "old"})


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ({}, "row 1: no value for 'age'"),
        ({"agee": 99}, r"row 1: unknown key 'agee' \(did you mean 'age'\?\)"),
        ([GOOD, {**GOOD, "agee": 99}], "row 2: unknown key 'agee'"),
        ([GOOD, {key: value for key, value in GOOD.items() if key != "age"}], "row 2: no value for 'age'"),
        ([*GOOD.values(), "<=50K"], "leave out 'target', which the model does not read"),
    ],
)
def test_rows_by_name_are_as_strict_as_those_of_a_request(
    features: Any, problem: str, folder: Path, ask_app: Callable[[FastAPI], Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter()

    @router.post("/own")
    async def own(
        request: PredictionRequest, service: Annotated[ModelService, Depends(get_model_service)]
    ) -> PredictionResponse:
        return PredictionResponse(prediction=service.predict(request.features)[0])

    module = types.ModuleType("own_routers")
    module.router = router  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_routers", module)
    settings = Settings.model_validate({"api": {"routers": ["own_routers"]}})
    asked = ask_app(create_app(load_served(folder, settings), settings))

    service = ModelService()
    service.load_model("people", folder)
    with pytest.raises(ContractViolation, match=problem):
        service.predict(features)
    refused = asked("POST", "/own", json={"features": features})
    assert refused.status_code == 422
    assert re.search(problem, refused.json()["detail"])
    rows = features if isinstance(features, list) and isinstance(features[0], dict) else [features]
    told = asked("POST", "/api/v1/predict", json={"rows": rows})
    assert told.status_code == 422
    assert ("leave out 'target'" in told.json()["detail"]) == ("leave out" in problem)
    assert asked("POST", "/own", json={"features": GOOD}).status_code == 200


def test_probabilities_have_the_order_of_classes(folder: Path, frame: pd.DataFrame) -> None:
    service = ModelService()
    model = load_model(folder)
    target = model.contract.target
    # the same scores under a contract whose positive class comes first in the alphabet
    turned = model.contract.model_copy(update={"target": target.model_copy(update={"classes": target.classes[::-1]})})
    service.load_model("people", model)
    service.load_model("turned", Model(turned, model.scorer))
    probabilities = [service.predict(frame, name, return_probabilities=True)[1] for name in ("people", "turned")]
    np.testing.assert_array_equal(*(np.sort(each, axis=1) for each in probabilities))
    np.testing.assert_array_equal(np.float32(probabilities[1]), Model(turned, model.scorer).predict_proba(frame))
    np.testing.assert_array_equal(probabilities[0], np.asarray(probabilities[1])[:, ::-1])


def test_a_series_is_one_row_and_no_rows_have_no_predictions(folder: Path, frame: pd.DataFrame) -> None:
    service = ModelService()
    service.load_model("people", folder)
    expected, probabilities, _ = service.predict(frame[:1], return_probabilities=True)
    assert service.predict(frame.iloc[0], return_probabilities=True)[:2] == (expected, probabilities)
    assert service.predict(frame[:0], return_probabilities=True)[:2] == ([], [])
    service.load_model("double", Doubling())
    assert service.predict(pd.Series({"a": 1.0, "b": 2.0}), "double")[0] == [6.0]


def test_mappings_are_put_in_order_for_a_model_without_a_contract() -> None:
    service = ModelService()
    service.load_model("tree", DecisionTreeRegressor().fit(pd.DataFrame({"a": [0, 1], "b": [0, 0]}), [0.0, 1.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of values without names
        assert service.predict([{"b": 0, "a": 1}, {"a": 0, "b": 0}])[0] == [1.0, 0.0]
    service.load_model("double", Doubling())
    for rows in ([{"a": 1, "b": 2}, {"a": 3}], [{"a": 1, "b": 2}, [3, 4]], [{"a": 1}, {"b": 2}]):
        with pytest.raises(ContractViolation, match="row 2: a mapping with these keys is expected: 'a'"):
            service.predict(rows, "double")


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("xz", 3)], ids=["plain", "zlib", "gzip", "xz"])
def test_files_of_joblib_are_loaded_where_pickles_are(compress: Any, tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "model.joblib"
    X = np.random.default_rng(0).normal(size=(60, 3))
    joblib.dump(DecisionTreeRegressor().fit(X, X[:, 0]), path, compress=compress)
    assert not ModelService().load_model("m", path)
    service = ModelService(allow_pickle=True)
    assert service.load_model("m", path)
    assert service.predict(X, "m")[0] == X[:, 0].tolist()
    joblib.dump(load_model(folder), path, compress=compress)
    assert service.load_model("whole", path)
    assert service.predict(GOOD, "whole")[0] == [load_model(folder).predict(GOOD)[0]]


def test_any_object_that_predicts_is_a_model() -> None:
    service = ModelService()
    assert service.load_model("double", Doubling())
    assert service.predict([1.0, 2.0], "double", return_probabilities=True)[:2] == ([6.0], [[0.25, 0.75]])
    assert service.predict([{"a": 1, "b": 2}, {"a": 3, "b": 4}])[0] == [6, 14]


def test_a_pickle_is_loaded_only_where_allowed_and_loudly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    assert not ModelService().load_model("m", path)
    assert "can run any code" in caplog.messages[-1]
    allowed = ModelService(Settings.model_validate({"model": {"serve_original": True}}))
    assert not allowed.load_model("m", path)
    assert "holds a dict, which has no predict" in caplog.messages[-1]
    path.write_bytes(pickle.dumps(np.polynomial.Polynomial([1, 2])))
    assert not allowed.load_model("m", path)
    path.write_bytes(b"no pickle")
    assert not ModelService(allow_pickle=True).load_model("m", path)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 3


@pytest.mark.parametrize("model", ["nowhere", 7, "broken"])
def test_a_failure_is_logged_in_one_sentence(
    model: object, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if model == "broken":
        model = tmp_path / "broken"
        model.mkdir()
        for file in folder.iterdir():
            (model / file.name).write_bytes(file.read_bytes() + b" ")
    service = ModelService()
    assert not service.load_model("m", model)
    assert len(caplog.records) == 1
    assert "\n" not in caplog.messages[0]
    assert caplog.messages[0].startswith("model 'm' was not loaded: ")
    assert not service.models
