from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import Settings
from modelyard.errors import ConfigError, DataError, TableUnreadable
from modelyard_tuning.preparation import load_table, prepare


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = 300
    number = rng.normal(size=rows)
    return pd.DataFrame(
        {
            "number": number,
            "text": rng.choice(["a", "b", None], rows),
            "target": np.where(number + rng.normal(size=rows) > 1.0, "yes", "no"),
        }
    )


def settings(path: Path, **data: Any) -> Settings:
    return Settings.model_validate({"data": {"path": str(path), **data}, "ml": {"folds": 3}})


def test_the_held_out_rows_are_in_nothing(frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    # one value that only a held-out row may teach: the search must not know it wherever it falls
    frame["number"] = np.arange(len(frame), dtype=float)
    frame.to_csv(path, index=False)
    prepared = prepare(load_table(settings(path)), settings(path))
    searched, held = set(prepared.folds.X[:, 0].tolist()), set(prepared.X[:, 0].tolist())
    assert not searched & held
    assert searched | held == set(range(300))
    assert len(prepared.y) == 60
    column = next(column for column in prepared.contract.columns if column.name == "number")
    assert (column.minimum, column.maximum) == (min(searched), max(searched))
    assert prepared.contract.target.classes == ("no", "yes")


def test_the_held_out_rows_may_be_a_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame[:200].to_csv(tmp_path / "train.csv", index=False)
    frame[200:].to_csv(tmp_path / "test.csv", index=False)
    chosen = settings(tmp_path / "train.csv", test_path=str(tmp_path / "test.csv"))
    prepared = prepare(load_table(chosen), chosen)
    assert (len(prepared.folds.y), len(prepared.y)) == (200, 100)
    np.testing.assert_allclose(prepared.X[:, 0], frame["number"][200:].to_numpy(), rtol=1e-6)


def test_the_same_table_has_the_same_digest(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "one.csv", index=False)
    frame.to_csv(tmp_path / "two.csv", index=False)
    frame.iloc[::-1].to_csv(tmp_path / "three.csv", index=False)
    one, two, three = (load_table(settings(tmp_path / f"{name}.csv")).digest for name in ("one", "two", "three"))
    assert one == two != three


def test_tables_that_cannot_be_used_are_refused(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.path"):
        load_table(Settings())
    with pytest.raises(TableUnreadable):
        load_table(settings(tmp_path / "nothing.csv"))
    frame["target"] = "yes"
    frame.to_csv(tmp_path / "one.csv", index=False)
    with pytest.raises(DataError, match="one value"):
        load_table(settings(tmp_path / "one.csv"))
