"""What the slow reader of JSON, which explains, says of each kind of mistake."""

from __future__ import annotations

import json
from typing import Any

import pytest

from malformed_bodies import GOOD
from modelyard.api.decoding import MOST_ERRORS, Decoder
from modelyard.api.problems import RequestProblem
from served_model import make_contract, make_table

MAX_ROWS = 150
DECODER = Decoder(make_contract(make_table()), MAX_ROWS)


def refused(document: Any) -> RequestProblem:
    with pytest.raises(RequestProblem) as refusal:
        DECODER.decode(document if isinstance(document, bytes) else json.dumps(document).encode())
    return refusal.value


def test_rows_come_as_columns_in_the_contract_s_order() -> None:
    other = {**GOOD, "age": 50, "education-num": None}
    backwards = dict(reversed(other.items()))
    table, timing = DECODER.decode(json.dumps({"rows": [GOOD, backwards]}).encode())
    assert list(table) == list(GOOD)
    assert table["age"] == [39, 50]
    assert table["education-num"] == [13.0, None]
    assert not timing


@pytest.mark.parametrize("timing", [True, False])
def test_values_come_in_the_order_that_the_request_gives(timing: bool) -> None:
    columns = sorted(GOOD)
    body = {"rows": [[GOOD[name] for name in columns]], "columns": columns, "timing": timing}
    table, asked = DECODER.decode(json.dumps(body).encode())
    assert {name: values[0] for name, values in table.items()}["age"] == 39
    assert asked is timing


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ([], 'the body: expected an object with "rows"'),
        ({}, "/rows: a list of rows is missing"),
        ({"rows": GOOD}, "/rows: expected a list of rows"),
        ({"rows": []}, "/rows: expected at least one row"),
        ({"rows": [5]}, "/rows/0: expected an object by column, or a list of 6 values, not 5"),
        ({"rows": [[1, 2]]}, "/rows/0: expected 6 values"),
        ({"rows": [GOOD], "timing": "yes"}, "/timing: expected true or false"),
        ({"rows": [GOOD], "row": 1}, '/row: expected "rows", "columns" or "timing"'),
        ({"rows": [GOOD], "columns": "age"}, "/columns: expected a list of column names"),
        ({"rows": [GOOD], "columns": [3]}, "/columns/0: expected a column name, not 3"),
        ({"rows": [GOOD], "columns": ["nothing"]}, "/columns/0: expected a column of the contract"),
        ({"rows": [GOOD], "columns": ["age", "age"]}, "/columns/1: expected each column once"),
        ({"rows": [{**GOOD, "income": 1}]}, "/rows/0/income: expected a column of the contract"),
        ({"rows": [{**GOOD, "age": "old"}]}, "/rows/0/age: expected "),
        ({"rows": [["old", *list(GOOD.values())[1:]]]}, "/rows/0/0 (column 'age'): expected "),
    ],
)
def test_one_mistake_is_said_with_its_place_and_counts_no_others(document: Any, detail: str) -> None:
    problem = refused(document)
    assert problem.details.status == 422
    assert problem.details.detail.startswith(detail)
    assert "more)" not in problem.details.detail
    assert len(problem.details.errors) == 1


def test_the_first_of_several_mistakes_is_said_and_the_others_are_counted() -> None:
    two = refused({"rows": [{**GOOD, "age": "old"}, {**GOOD, "_copy": "perhaps"}]})
    assert two.details.detail.startswith("/rows/0/age: ")
    assert two.details.detail.endswith(" (and 1 more)")
    assert [each.path for each in two.details.errors] == ["/rows/0/age", "/rows/1/_copy"]


def test_so_many_mistakes_are_reported_and_no_more() -> None:
    many = refused({"rows": [{}] * MAX_ROWS})
    assert len(many.details.errors) == MOST_ERRORS == 100
    assert many.details.detail.endswith(f" (and {MOST_ERRORS - 1} more)")


def test_the_number_of_rows_has_a_limit() -> None:
    assert len(DECODER.decode(json.dumps({"rows": [GOOD] * MAX_ROWS}).encode())[0]["age"]) == MAX_ROWS
    assert refused({"rows": [GOOD] * (MAX_ROWS + 1)}).details.status == 413


def test_a_long_name_is_cut_in_the_refusal() -> None:
    (error,) = refused({"rows": [{**GOOD, "n" * 5000: 1}]}).details.errors
    assert error.path.startswith("/rows/0/nnn")
    assert error.path.endswith("…")
    assert len(error.path) < 220
    (error,) = refused({"rows": [{**GOOD, "n" * 200: 1}]}).details.errors
    assert error.path == f"/rows/0/{'n' * 200}"


def test_a_column_that_is_nearly_right_gets_a_hint() -> None:
    assert "'age'" in refused({"rows": [{**GOOD, "agee": 1}]}).details.detail.partition("; ")[2]
    assert "did you mean" not in refused({"rows": [{**GOOD, "agee" * 1000: 1}]}).details.detail
