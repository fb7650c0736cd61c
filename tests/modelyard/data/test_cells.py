from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import DataSettings
from modelyard.data.bins import count_values, shares
from modelyard.data.cells import (
    MOST_NAMED,
    NULL,
    OTHER,
    ROWS_AT_ONCE,
    UNKNOWN,
    Cells,
    cell_names,
    count_predictions,
    fold,
)
from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import Encoder
from modelyard.data.inference import infer_contract
from served_model import make_contract, make_table


def shifted(frame: pd.DataFrame) -> pd.DataFrame:
    """Other rows of the same table, with what training had not."""
    other = frame.sample(frac=0.5, random_state=0)
    other["age"] += 30
    other["seen at"] += pd.Timedelta(days=40)
    other["model_config"] = other["model_config"].replace("Private", "never seen")
    return other


@pytest.mark.parametrize("rows", ["training", "others", "none"])
def test_encoded_rows_are_counted_as_the_table_they_came_from(rows: str) -> None:
    frame = make_table()
    contract = make_contract(frame)
    table = {"training": frame, "others": shifted(frame), "none": frame[:0]}[rows]
    cells = Cells(contract)
    counts = cells.count(Encoder(contract).encode(table))
    assert counts.tolist() == np.concatenate([count_values(one, table[one.name]) for one in contract.columns]).tolist()
    assert cells.names == [(column.name, name) for column in contract.columns for name in cell_names(column)]
    if rows == "training":
        assert cells.expected == pytest.approx(np.concatenate([one.shares for one in contract.columns]))


def test_rows_past_those_counted_at_once_are_counted_too() -> None:
    frame = make_table()
    contract = make_contract(frame)
    matrix = Encoder(contract).encode(frame)
    times = ROWS_AT_ONCE // len(matrix) + 2
    cells = Cells(contract)
    assert cells.count(np.tile(matrix, (times, 1))).tolist() == (cells.count(matrix) * times).tolist()


def test_categories_past_the_most_frequent_are_one_cell() -> None:
    frame = pd.DataFrame({"city": [f"c{place}" for place in range(80) for _ in range(90 - place)]})
    frame["target"] = np.arange(len(frame)) % 2
    contract = infer_contract(frame, DataSettings(target="target"))
    (column,) = contract.columns
    assert len(column.vocabulary) > MOST_NAMED
    cells = Cells(contract)
    counts = cells.count(Encoder(contract).encode(frame[["city"]]))
    assert [name for _, name in cells.names] == [NULL, UNKNOWN, *column.vocabulary[:MOST_NAMED], OTHER]
    assert counts.tolist() == fold(column, count_values(column, frame["city"])).tolist()
    assert counts[-1] == sum(90 - place for place in range(MOST_NAMED, 80))
    assert cells.expected == pytest.approx(shares(counts))


def test_the_cells_of_each_kind_have_names() -> None:
    assert cell_names(Column(name="a", kind="numeric", bins=(1.5, 3.0))) == [
        NULL,
        "below 1.5",
        "1.5 to 3.0",
        "from 3.0",
    ]
    assert cell_names(Column(name="a", kind="numeric")) == [NULL, "any"]
    assert cell_names(Column(name="a", kind="boolean")) == [NULL, "false", "true"]
    midnight = Column(name="a", kind="datetime", bins=(86400.0, 90000.0))
    assert cell_names(midnight)[1:] == [
        "below 1970-01-02",
        "1970-01-02 to 1970-01-02T01:00:00",
        "from 1970-01-02T01:00:00",
    ]


def test_a_column_whose_shares_are_not_known_is_not_counted() -> None:
    contract = Contract(
        columns=(Column(name="a", kind="numeric"), Column(name="b", kind="boolean", shares=(0.0, 0.5, 0.5))),
        target=Target(name="y", task="regression"),
    )
    cells = Cells(contract)
    assert cells.names == [("b", NULL), ("b", "false"), ("b", "true")]
    assert cells.count(np.array([[7.0, 1.0], [8.0, np.nan]], dtype=np.float32)).tolist() == [1, 0, 1]


def test_predictions_are_counted_by_class_or_by_bin() -> None:
    classes = Target(name="y", task="multiclass", classes=("a", "b", "c"))
    assert count_predictions(classes, np.array([0, 2, 2])).tolist() == [1, 0, 2]
    values = Target(name="y", task="regression", bins=(1.0, 2.0))
    assert count_predictions(values, np.array([0.5, 1.0, 9.0], dtype=np.float32)).tolist() == [1, 1, 1]
