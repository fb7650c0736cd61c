from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from modelyard.data.cells import cell_names
from modelyard.data.contract import Column
from modelyard.data.encoding import Encoder
from modelyard.monitoring import observed
from modelyard.monitoring.observed import recorded_cells, table_cells
from served_model import make_contract, make_table

COLUMNS = [
    Column(name="number", kind="numeric", bins=(-3.5, 2.0, 10.0)),
    Column(name="day", kind="datetime", bins=(86400.0, 864000.0)),
    Column(name="job", kind="categorical", vocabulary=("clerk", "driver to go", "from afar")),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_what_prometheus_has_stands_in_order(column: Column, monkeypatch: pytest.MonkeyPatch) -> None:
    names = cell_names(column)

    def ask(_: str, query: str) -> list[tuple[Mapping[str, str], float]]:
        value = 5.0 if "increase" in query else 0.25
        # a bin without a row since the start may have no increase yet
        found = names[1:] if "increase" in query else names
        return [({"contract_digest": "d", "column": column.name, "bin": name}, value) for name in reversed(found)]

    monkeypatch.setattr(observed, "ask", ask)
    cells = [cell for _, cell in recorded_cells("http://a", "shop", "people", "1d")["d"]]
    assert [cell.bin for cell in cells] == names
    assert [cell.rows for cell in cells] == [0.0, *[5.0] * (len(names) - 1)]
    assert {cell.expected for cell in cells} == {0.25}


def test_a_table_is_counted_with_its_predictions() -> None:
    frame = make_table()
    contract = make_contract(frame)
    codes = np.arange(len(frame)) % 2
    cells = table_cells(contract, (0.25, 0.75), Encoder(contract).encode(frame), codes)
    assert [(one.bin, one.expected, one.rows) for column, one in cells if column == "(prediction)"] == [
        ("<=50K", 0.25, 120),
        (">50K", 0.75, 120),
    ]
    assert sum(one.rows for column, one in cells if column == "age") == len(frame)
