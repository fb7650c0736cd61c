from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def write_file(content: str | bytes, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write_file


@pytest.fixture
def people() -> pd.DataFrame:
    """A mixed table: every kind, nulls, an identifier, a constant, an empty column, a leak."""
    draw = np.random.default_rng(7)
    rows = 300
    age = draw.integers(18, 80, rows)
    income = np.where(age + draw.normal(0, 15, rows) > 55, "high", "low")
    return pd.DataFrame(
        {
            "person_id": draw.permutation(rows) + 1000,
            "ticket": [f"T{place:05d}" for place in range(rows)],
            "age": age,
            "height": np.where(draw.random(rows) < 0.1, np.nan, draw.normal(170, 10, rows)),
            "city": pd.Series(draw.choice(["Bern", "Ulm", "Graz", None], rows, p=[0.5, 0.3, 0.15, 0.05])),
            "member": draw.random(rows) < 0.5,
            "active": draw.choice(["true", "False"], rows),
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(draw.integers(0, 1000, rows), unit="D"),
            "seen": [f"2024-0{month}-11T10:00:00+02:00" for month in draw.integers(1, 10, rows)],
            "country": "CH",
            "nothing": np.nan,
            "grade": np.where(income == "high", "A", "B"),
            "income": income,
        }
    )
