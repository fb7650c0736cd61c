from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.data.contract import Target
from modelyard.monitoring.feedback import FeedbackMetrics, Outcome
from served_model import json_rows, make_table, save_served

FEEDBACK = "/api/v1/feedback"
FIGURES = {"accuracy": 0.8, "brier": 0.15, "rmse": 3.0, "mae": 2.0}


class Service:
    """An application in process with ids, and what it counted."""

    def __init__(self, folder: Path, task: str, ask_app: Callable[..., Any], **settings: Any) -> None:
        self.frame = make_table(task)
        key = folder / "key"
        key.write_text("0123456789abcdef")
        served = {"feedback_key_file": str(key), "max_rows": 250, **settings}
        self.settings = Settings.model_validate({"serving": served})
        self.model = load_served(save_served(folder / "m", self.frame, held_out=FIGURES), self.settings)
        self.rows = json_rows(self.frame, self.model.model.contract)
        self.ask = ask_app(create_app(self.model, self.settings))

    def predict(self, rows: list[Any]) -> list[dict[str, Any]]:
        answer = self.ask("POST", "/api/v1/predict", json={"rows": rows})
        assert answer.status_code == 200
        predictions: list[dict[str, Any]] = answer.json()["predictions"]
        return predictions

    def tell(self, outcomes: list[Any]) -> Any:
        return self.ask("POST", FEEDBACK, json={"feedback": outcomes})

    def counted(self, name: str) -> dict[tuple[str, ...], float]:
        found = {}
        for line in self.ask("GET", "/metrics").text.splitlines():
            if line.startswith(name + "{"):
                labels, _, value = line[len(name) + 1 :].rpartition("} ")
                found[tuple(part.split('"')[1] for part in labels.split(","))] = float(value)
        return found


@pytest.fixture
def service(tmp_path: Path, ask_app: Callable[..., Any]) -> Callable[..., Service]:
    return lambda task, **settings: Service(tmp_path, task, ask_app, **settings)


@pytest.mark.parametrize("together", [True, False])
def test_outcomes_of_classes_are_counted_by_version(service: Callable[..., Service], together: bool) -> None:
    people = service("binary")
    rows = people.rows[:40]
    told = people.predict(rows) if together else [people.predict([row])[0] for row in rows]
    actual = people.frame["target"].tolist()[:40]
    answer = people.tell([{"id": one["id"], "actual": true} for one, true in zip(told, actual, strict=True)])
    assert answer.json() == {"counted": 40, "repeated": 0}
    version = people.model.model.version
    wrong = sum(one["label"] != true for one, true in zip(told, actual, strict=True))
    assert people.counted("modelyard_feedback_rows_total") == {(version,): 40}
    errors = people.counted("modelyard_feedback_error_total")
    brier = sum((one["probabilities"][">50K"] - (true == ">50K")) ** 2 for one, true in zip(told, actual, strict=True))
    assert errors["misclassified", version] == wrong
    assert errors["squared", version] == pytest.approx(brier)
    outcomes = people.counted("modelyard_feedback_outcomes_total")
    assert sum(outcomes.values()) == 40
    assert sum(count for (was, said, _), count in outcomes.items() if was != said) == wrong
    assert sum(people.counted("modelyard_feedback_scores_total").values()) == 40
    assert people.counted("modelyard_card_error") == {
        ("misclassified", version): pytest.approx(0.2),
        ("squared", version): pytest.approx(9.0),
        ("absolute", version): 2.0,
    }


@pytest.mark.parametrize("task", ["regression", "instant"])
def test_outcomes_of_values_are_counted(service: Callable[..., Service], task: str) -> None:
    people = service(task)
    told = people.predict(people.rows[:3])
    people.tell([{"id": one["id"], "actual": one["value"] + 2} for one in told])
    version = people.model.model.version
    errors = people.counted("modelyard_feedback_error_total")
    assert errors == {
        ("squared", version): pytest.approx(12),
        ("absolute", version): pytest.approx(6),
        ("misclassified", version): 0,
    }


@pytest.mark.parametrize(("task", "actual"), [("multiclass", 5), ("multiclass", "5"), ("flag", True), ("flag", "true")])
def test_a_label_may_be_told_as_itself_or_as_its_text(service: Callable[..., Service], task: str, actual: Any) -> None:
    people = service(task)
    (told,) = people.predict(people.rows[:1])
    assert people.tell([{"id": told["id"], "actual": actual}]).json() == {"counted": 1, "repeated": 0}


def test_an_outcome_that_is_told_again_is_not_counted_again(service: Callable[..., Service]) -> None:
    people = service("binary")
    told = people.predict(people.rows[:2])
    outcomes = [{"id": one["id"], "actual": ">50K"} for one in told]
    assert people.tell([outcomes[0], outcomes[0]]).json() == {"counted": 1, "repeated": 1}
    for _ in range(20):
        people.tell([outcomes[0]] * 200)
    assert people.tell([{**outcomes[0], "actual": "<=50K"}, outcomes[1]]).json() == {"counted": 1, "repeated": 1}
    version = people.model.model.version
    assert people.counted("modelyard_feedback_rows_total") == {(version,): 2}
    assert people.counted("modelyard_feedback_repeated_total") == {(version,): 4002}
    assert sum(people.counted("modelyard_feedback_outcomes_total").values()) == 2


def test_one_wrong_outcome_leaves_all_uncounted_and_every_wrong_one_is_named(service: Callable[..., Service]) -> None:
    people = service("binary")
    (told,) = people.predict(people.rows[:1])
    good = {"id": told["id"], "actual": ">50K"}
    forged = {"id": told["id"][:-4] + "AAAA", "actual": ">50K"}
    answer = people.tell([good, forged, {"id": told["id"], "actual": "maybe"}])
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["detail"] == (
        "2 outcomes are wrong, and none was counted; the first: /feedback/1/id is not signed by this service"
    )
    assert [one["path"] for one in problem["errors"]] == ["/feedback/1/id", "/feedback/2/actual"]
    assert problem["errors"][1]["expected"] == "one of <=50K, >50K"
    assert people.counted("modelyard_feedback_rows_total") == {(people.model.model.version,): 0}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 500, 422),
        (b"[" * 100_000, 413),
        (b'{"feedback": ' + b"[" * 100_000, 413),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"feedback": [{}]}', 422),
        (b'{"feedback": [{"id": 1, "actual": 1}]}', 422),
        (b'{"feedback": [{"id": "x", "actual": null}]}', 422),
        (b'{"feedback": [{"id": "x", "actual": 1, "more": 1}]}', 422),
        (b'{"feedback": [{"id": "x", "actual": 1%s}]}' % (b"0" * 400), 422),
        (b'{"feedback": [%s]}' % b",".join([b'{"id": "x", "actual": 1}'] * 251), 413),
    ],
)
def test_what_is_no_feedback_is_refused(service: Callable[..., Service], body: bytes, code: int) -> None:
    people = service("regression")
    answer = people.ask("POST", FEEDBACK, content=body)
    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/problem+json"


def test_another_shape_is_told_with_the_right_one(service: Callable[..., Service]) -> None:
    answer = service("binary").ask("POST", FEEDBACK, json={"feedback": [{"id": "x", "outcome": "yes"}]})
    assert "unknown field `outcome` - at `$.feedback[0]`" in answer.json()["detail"]
    assert '{"feedback": [{"id": "the id of a prediction", "actual": ' in answer.json()["detail"]


def test_feedback_is_json(service: Callable[..., Service]) -> None:
    answer = service("binary").ask("POST", FEEDBACK, content=b"id,actual", headers={"Content-Type": "text/csv"})
    assert answer.status_code == 415


@pytest.mark.parametrize("actual", ["12", True, 1e39, -1e308])
def test_a_value_is_a_number_that_can_be_squared(service: Callable[..., Service], actual: Any) -> None:
    people = service("regression")
    (told,) = people.predict(people.rows[:1])
    answer = people.tell([{"id": told["id"], "actual": actual}])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["expected"] == "a number"


def test_without_a_key_file_there_are_neither_ids_nor_the_route(ask: Callable[..., Any], folder: Path) -> None:
    rows = json_rows(make_table(), load_served(folder, Settings()).model.contract)[:1]
    assert "id" not in ask("POST", "/api/v1/predict", json={"rows": rows}).json()["predictions"][0]
    assert ask("POST", FEEDBACK, json={"feedback": []}).status_code == 404
    assert FEEDBACK not in ask("GET", "/openapi.json").json()["paths"]


def test_the_document_of_the_service_has_ids_and_the_route(service: Callable[..., Service]) -> None:
    document = service("binary").ask("GET", "/openapi.json").json()
    assert "id" in document["components"]["schemas"]["Prediction"]["required"]
    assert document["paths"][FEEDBACK]["post"]["requestBody"]["content"]["application/json"]


def test_with_keys_outcomes_need_one_too(service: Callable[..., Service], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("0" * 64)
    assert service("binary", keys_file=str(keys)).tell([]).status_code == 401


def test_a_series_for_each_pair_of_classes_has_a_bound() -> None:
    names = tuple(f"c{number}" for number in range(60))
    target = Target(name="y", task="multiclass", classes=names)
    registry = CollectorRegistry()
    outcomes = FeedbackMetrics(registry, target, names, "v", {})
    pairs = [(predicted, actual) for predicted in range(60) for actual in range(60)]
    outcomes.count([Outcome(number, "v", predicted, 0.5, actual) for number, (predicted, actual) in enumerate(pairs)])
    (found,) = [one for one in registry.collect() if one.name == "modelyard_feedback_outcomes"]
    assert len([one for one in found.samples if one.name.endswith("_total")]) == 51**2
