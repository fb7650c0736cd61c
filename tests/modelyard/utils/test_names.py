from __future__ import annotations

import pytest

from modelyard.utils.names import is_plain_name


@pytest.mark.parametrize("name", ["a", "income-2024", "3f2a91b04c77", "A.b_c", "x" * 128])
def test_plain_names(name: str) -> None:
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc", "a/b", "a\\b", ".hidden", "-f", "a b", "a:b", "a\n", "ä", "x" * 129, None, 7],
)
def test_names_that_could_lead_elsewhere(name: object) -> None:
    assert not is_plain_name(name)
