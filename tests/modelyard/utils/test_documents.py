from __future__ import annotations

import pytest

from modelyard.utils.documents import MAX_YAML_CHARACTERS, parse_json, parse_yaml_document


def alias_bomb(levels: int = 9) -> str:
    """A few hundred bytes that stand for nine to the ninth values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_json_is_parsed() -> None:
    assert parse_json(b'{"a": [1, null]}') == {"a": [1, None]}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_json_that_is_nested_too_deeply_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(text)


def test_yaml_may_have_aliases() -> None:
    assert parse_yaml_document("a: &x [1, 2]\nb: *x\nc: {<<: {d: 1}}\n") == {"a": [1, 2], "b": [1, 2], "c": {"d": 1}}
    assert parse_yaml_document("") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (alias_bomb(), "aliases written out"),
        (f"a: &a {'x' * 10_000}\nb: [{', '.join(['*a'] * 200)}]", "aliases written out"),
        ("a: &a [*a]", "an alias names itself"),
        ("a: &a {b: {c: *a}}", "an alias names itself"),
        ("x" * (MAX_YAML_CHARACTERS + 1), "more than 1048576 characters"),
        ("[" * 5000, "nested too deeply"),
        ("a: [", "expected"),
        ("!!python/object/apply:os.system [id]", "could not determine a constructor"),
    ],
)
def test_yaml_that_cannot_be_used_is_a_value_error(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_yaml_document(text)
