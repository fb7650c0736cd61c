from __future__ import annotations

import logging
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from malformed_bodies import GOOD
from modelyard.api.service import ModelService
from modelyard.config.models import Settings
from modelyard.errors import ContractViolation, ModelNotFound
from modelyard.models.artifact import load_model


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
