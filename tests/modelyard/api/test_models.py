from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from pydantic import ValidationError

from modelyard.api.models import (
    PredictionRequest,
    PredictionResponse,
    answer_model,
    class_text,
    request_model,
    row_model,
)
from modelyard.data.contract import Column, Contract, Target

NAMES = (
    "model_config",
    "copy",
    "json",
    "_private",
    "__class__",
    "größe in m",
    "education-num",
    "model_fields",
    "",
    "a.b",
)


def contract(*columns: Column, classes: tuple[Any, ...] = ("no", "yes")) -> Contract:
    return Contract(columns=columns, target=Target(name="y", task="binary", classes=classes))


def test_a_column_may_have_any_name() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = row_model(contract(*(Column(name=name, kind="numeric") for name in NAMES)))
    values = {name: float(place) for place, name in enumerate(NAMES)}
    assert list(row.model_validate(values).__dict__.values()) == list(values.values())
    assert list(row.model_json_schema()["properties"]) == list(NAMES)
    with pytest.raises(ValidationError, match="Extra inputs"):
        row.model_validate({**values, "column_0": 1.0})


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        (Column(name="x", kind="numeric"), [1, -2.5, 1e300, 2**60, None], [True, "1", float("nan"), 10**400, [1], {}]),
        (Column(name="x", kind="numeric", integer=True), [3, 3.0, -(2**53)], [3.5, "3", False, float("inf")]),
        (Column(name="x", kind="numeric", on_null="refuse"), [0], [None]),
        (Column(name="x", kind="numeric", on_null="refuse", nullable=True), [0, None], ["null"]),
        (Column(name="x", kind="numeric", minimum=0, maximum=9, on_range="refuse"), [0, 9, None], [-0.1, 9.1]),
        (Column(name="x", kind="numeric", minimum=0, maximum=9), [-5, 50], []),
        (Column(name="x", kind="boolean"), [True, False, 0, 1, "true", "False", None], [2, "yes", [], 0.5]),
        (Column(name="x", kind="categorical", vocabulary=("a", "b")), ["a", "new", "", None], [1, True, ["a"]]),
        (
            Column(name="x", kind="categorical", vocabulary=("a", "b"), on_unknown="refuse"),
            ["a", None],
            ["new", "A", ""],
        ),
        (Column(name="x", kind="categorical", vocabulary=("1", "20")), [1, 20.0, "1", 7], [True, float("nan"), [1]]),
        (Column(name="x", kind="categorical", vocabulary=("1", "20"), on_unknown="refuse"), [1, "20"], [7, "7"]),
        (
            Column(name="x", kind="datetime"),
            ["2024-05-17", "2024-05-17T08:30:00Z", "2024-05-17 08:30:00.5+02:00", "0001-01-01", None],
            ["17.5.2024", "2024-13-01", 1715934600, "", True, "2024-05-17T25:00:00"],
        ),
        (
            Column(name="x", kind="datetime", minimum=0.0, maximum=86400.0, on_range="refuse"),
            ["1970-01-01", "1970-01-02T00:00:00Z"],
            ["1969-12-31T23:59:59Z", "1970-01-02T00:00:01Z"],
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Column) else "",
)
def test_a_field_takes_what_its_column_is(column: Column, good: list[Any], bad: list[Any]) -> None:
    row = row_model(contract(column))
    for value in good:
        row.model_validate({"x": value})
    for value in bad:
        with pytest.raises(ValidationError):
            row.model_validate({"x": value})


def test_a_category_from_numbers_becomes_the_vocabulary_s_text() -> None:
    row = row_model(contract(Column(name="x", kind="categorical", vocabulary=("1", "2.5"))))
    assert [row.model_validate({"x": value}).__dict__["column_0"] for value in (1, 1.0, 2.5, "1")] == [
        "1",
        "1",
        "2.5",
        "1",
    ]


def test_only_a_column_with_nulls_in_training_may_be_left_out() -> None:
    row = row_model(contract(Column(name="a", kind="numeric", nullable=True), Column(name="b", kind="numeric")))
    assert row.model_validate({"b": 1}).__dict__ == {"column_0": None, "column_1": 1}
    with pytest.raises(ValidationError, match="Field required"):
        row.model_validate({"a": 1})


def test_schemas_say_what_the_contract_says() -> None:
    columns = (
        Column(name="n", kind="numeric", integer=True, minimum=1, maximum=9, on_range="refuse", on_null="refuse"),
        Column(name="c", kind="categorical", vocabulary=("a", "b"), on_unknown="refuse", on_null="refuse"),
        Column(name="d", kind="datetime", minimum=0.0, maximum=86400.0),
    )
    properties = row_model(contract(*columns)).model_json_schema()["properties"]
    assert properties["n"] | {"type": "integer", "minimum": 1, "maximum": 9} == properties["n"]
    assert properties["c"] | {"type": "string", "enum": ["a", "b"]} == properties["c"]
    assert "from 1970-01-01T00:00:00+00:00" in properties["d"]["description"]
    request = request_model(contract(*columns), 5).model_json_schema()
    assert (request["properties"]["rows"]["maxItems"], request["required"]) == (5, ["rows"])
    assert len(request["$defs"]["RowOrValues"]["oneOf"]) == 2


def test_answers_are_typed_by_the_labels() -> None:
    schema = answer_model(contract(Column(name="a", kind="numeric"), classes=(1, 2)), ids=False).model_json_schema()
    assert schema["$defs"]["Prediction"]["properties"]["label"]["enum"] == [1, 2]
    assert [class_text(label) for label in ("a", 1, 1.5, True, False)] == ["a", "1", "1.5", "true", "false"]


def test_generic_bodies_are_what_a_router_passes_on() -> None:
    assert PredictionRequest(features=[1.0, 2.0]).model_name is None
    response = PredictionResponse(prediction=(["yes"], [[0.25, 0.75]], {"total_ms": 0.1}))
    assert json.loads(response.model_dump_json())["prediction"][1] == [[0.25, 0.75]]
