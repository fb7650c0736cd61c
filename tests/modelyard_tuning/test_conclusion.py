from __future__ import annotations

import pytest

from modelyard.utils.names import is_plain_name
from modelyard_tuning.conclusion import _name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("s3://bucket/Adult Income.csv", "adult-income"),
        ("../../x.csv", "x"),
        ("..", "model"),
        ("größe.parquet", "gr-e"),
        (f"{'a' * 127}-{'b' * 90}.csv", "a" * 127),
    ],
)
def test_every_table_gives_a_name_that_a_card_takes(path: str, name: str) -> None:
    assert _name(path) == name
    assert is_plain_name(_name(path))
