from __future__ import annotations

import pytest

from modelyard.utils.sentences import first_line


@pytest.mark.parametrize(
    ("text", "line"),
    [("no such file.", "no such file"), ("\n  two\nlines", "two"), ("", "ValueError"), (" ", "ValueError")],
)
def test_the_first_line_that_says_something(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line
