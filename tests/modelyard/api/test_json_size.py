from __future__ import annotations

import json
import tracemalloc

import pytest

from modelyard.api.json_size import JsonLimits
from modelyard.api.problems import RequestProblem

LIMITS = JsonLimits(containers=4, values=6, remedy="send less")
BRACKETS = '[{,}]"\\\\"[['


def fits(document: str) -> bool:
    try:
        LIMITS.check(document.encode())
    except RequestProblem:
        return False
    return True


def test_a_refusal_has_the_limits_and_the_remedy() -> None:
    with pytest.raises(RequestProblem) as refused:
        LIMITS.check(b"[" * 5)
    assert refused.value.details.status == 413
    assert refused.value.details.detail == "the JSON has more than 4 lists and objects or more than 6 values; send less"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("[[], {}, []]", True),
        ("[[], {}, [], []]", False),
        ("[1, 2, 3, 4, 5, 6]", True),
        ("[1, 2, 3, 4, 5, 6, 7]", False),
        ('{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}', True),
        ('{"a": 1, "a": 2, "a": 3, "a": 4, "a": 5, "a": 6, "a": 7}', False),
        ("[" * 5, False),
        ("", True),
    ],
)
def test_containers_and_values_are_counted(document: str, expected: bool) -> None:
    assert fits(document) == expected


@pytest.mark.parametrize("text", [BRACKETS, "[" * 9, '"[[[[[', "\\", '\\"', '\\\\"[', "ü[[[[[[", "\n[[[[[["])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_is_within_a_text_does_not_count(text: str, ascii_only: bool) -> None:
    assert fits(json.dumps([text, {text: text}, [text]], ensure_ascii=ascii_only))
    assert not fits(json.dumps([text, {text: text}, [text], [], []], ensure_ascii=ascii_only))


def test_counting_takes_a_few_times_the_memory_of_the_document() -> None:
    document = b'"[",' * 2**20
    tracemalloc.start()
    with pytest.raises(RequestProblem):
        LIMITS.check(document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(document)
