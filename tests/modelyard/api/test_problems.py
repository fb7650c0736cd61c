from __future__ import annotations

import gc
import json
import tracemalloc
import weakref
from typing import Any

import pytest

from modelyard.api.problems import LONGEST_VALUE, Hints, describe, shorten


@pytest.mark.parametrize("value", [None, True, 1.5, "ü\n", [1, {"a": []}], {"a": "b"}, float("nan"), 10**60])
def test_a_short_value_is_described_as_json(value: Any) -> None:
    assert describe(value) == json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        ["x" * 10**6],
        list(range(10**5)),
        {str(key): key for key in range(10**5)},
        [[[]] * 10**5],
        "\0" * 99,
    ],
    ids=["text", "text in a list", "list", "object", "lists", "escapes"],
)
def test_of_a_long_value_only_the_beginning_is_described(value: Any) -> None:
    expected = json.dumps(value, ensure_ascii=False)
    tracemalloc.start()
    found = describe(value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == expected[: LONGEST_VALUE - 1] + "…"
    assert peak < 4 * 10**6


def test_what_is_no_json_is_described_too() -> None:
    nested: list[Any] = []
    nested.append(nested)
    assert describe(nested) == "[" * (LONGEST_VALUE - 1) + "…"
    assert describe(10**5000) == "a int"
    assert describe(b"\xff" * 999).startswith('"b')


def test_a_text_is_cut_to_its_limit() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"


def test_a_request_gets_one_suggestion_and_a_wide_contract_none() -> None:
    hints = Hints()
    assert hints.suggest("agee", {"age": 1}) == "did you mean 'age'?"
    assert hints.suggest("agee", {"age": 1}) == ""
    assert Hints().suggest("column_77", [f"column_{number}" for number in range(51)]) == ""
    assert (
        Hints().suggest("column_7", [f"column_{number}" for number in range(50)])
        == "did you mean 'column_7' or 'column_47' or 'column_37'?"
    )
    assert Hints().suggest("a" * 101, ["a" * 100]) == ""


def test_a_described_value_is_freed_at_once() -> None:
    class Value(list[int]):
        """A list that can be watched."""

    value = Value(range(1000))
    watched = weakref.ref(value)
    gc.disable()
    try:
        assert describe(value).startswith("[0, 1")
        del value
        assert watched() is None
    finally:
        gc.enable()
