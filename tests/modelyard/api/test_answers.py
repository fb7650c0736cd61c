from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from modelyard.api.answers import AnswerEncoder
from modelyard.data.contract import Column, Contract, Target
from modelyard.models.model import Model
from modelyard.utils.types import Task


def model_of(task: Task, *classes: Any, threshold: float = 0.5) -> Model:
    target = Target(name="y", task=task, classes=classes)
    contract = Contract(columns=(Column(name="x", kind="numeric"),), target=target)
    return Model(contract, lambda matrix: matrix, threshold=threshold, name="m", version="v1")


CLASSES = [
    ("no", "yes"),
    (False, True),
    (0, 1),
    (-1.5, 2.0),
    ("a", "b", "c"),
    (1, 2, 5),
    ("", "ü 😀", "model_config", "label", "class_0"),
    ('"quoted"', "back\\slash", "new\nline"),
    ("'quoted'", "{}"),
]


@pytest.mark.parametrize("classes", CLASSES, ids=str)
def test_one_and_many_write_the_same_and_what_the_model_decides(classes: tuple[Any, ...]) -> None:
    model = model_of("binary" if len(classes) == 2 else "multiclass", *classes)
    answers = AnswerEncoder(model)
    scores = np.random.default_rng(0).dirichlet(np.ones(len(classes)), 40).astype(np.float32)
    decided = model.decide(scores).tolist()
    many = json.loads(answers.many(scores, decided))
    assert many["model"] == {"name": "m", "version": "v1"}
    assert [prediction["label"] for prediction in many["predictions"]] == decided
    texts = [str(label).lower() if isinstance(label, bool) else str(label) for label in classes]
    for row, label, prediction in zip(scores, decided, many["predictions"], strict=True):
        code = answers.code(row.tolist())
        one = answers.one(row.tolist(), code)
        assert json.loads(one) == {"predictions": [prediction], "model": many["model"]}
        assert one == answers.many(row[None], [label])
        assert classes[code] == label
        assert type(prediction["label"]) is type(classes[0])
        assert list(prediction["probabilities"]) == texts
        assert np.float32(list(prediction["probabilities"].values())).tolist() == row.tolist()


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.1, np.nextafter(0.5, 1), float(np.float32(0.7))])
def test_a_score_at_the_threshold_is_negative_in_both_ways(threshold: float) -> None:
    model = model_of("binary", "no", "yes", threshold=threshold)
    answers = AnswerEncoder(model)
    at = np.float32(threshold)
    for score in (at, np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1))):
        scores = np.array([[1 - score, score]], dtype=np.float32)
        assert answers.code(scores[0].tolist()) == model.codes(scores)[0]


def test_of_equal_scores_the_first_class_is_taken() -> None:
    model = model_of("multiclass", "a", "b", "c")
    scores = np.array([[0.2, 0.4, 0.4]], dtype=np.float32)
    assert AnswerEncoder(model).code(scores[0].tolist()) == model.codes(scores)[0] == 1


def test_values_are_written_as_they_are() -> None:
    answers = AnswerEncoder(model_of("regression"))
    values = np.array([0.1, -0.0, 3e38, 1e-45], dtype=np.float32)
    many = json.loads(answers.many(values, values.tolist()))
    assert [prediction["value"] for prediction in many["predictions"]] == values.tolist()
    for value, prediction in zip(values.tolist(), many["predictions"], strict=True):
        assert answers.code([value]) == 0
        assert json.loads(answers.one([value], 0))["predictions"] == [prediction]


def test_timing_is_written_where_there_is_one() -> None:
    answers = AnswerEncoder(model_of("regression"))
    assert json.loads(answers.many(np.ones(1), [1.0], {"decode_ms": 0.5}))["timing"] == {"decode_ms": 0.5}
    assert "timing" not in json.loads(answers.many(np.ones(1), [1.0]))


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_ids_are_written_where_there_are_some(task: str) -> None:
    answers = AnswerEncoder(model_of(task))
    scores = np.array([[0.25, 0.75]] if task == "binary" else [0.75])
    one = answers.one(scores.ravel().tolist(), 0, "abc")
    assert json.loads(one)["predictions"][0]["id"] == "abc"
    assert "id" not in json.loads(answers.one(scores.ravel().tolist(), 0))["predictions"][0]
    assert json.loads(answers.many(scores, ["<=50K"], ids=["abc"]))["predictions"][0]["id"] == "abc"
