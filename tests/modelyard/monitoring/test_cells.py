from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from figures import figure
from modelyard.data.encoding import Encoder
from modelyard.monitoring.cells import PREDICTION, CellMetrics
from served_model import make_contract, make_table

ROWS, EXPECTED = "modelyard_drift_rows_total", "modelyard_drift_expected_share"


def test_every_cell_is_there_from_the_start_with_its_expected_share() -> None:
    contract = make_contract(make_table())
    registry = CollectorRegistry()
    CellMetrics(registry, contract, (0.75, 0.25))
    digest = {"contract_digest": contract.digest}
    for column in contract.names:
        assert figure(registry, ROWS, column=column, **digest) == 0
        assert figure(registry, EXPECTED, column=column, **digest) == pytest.approx(1)
    assert figure(registry, EXPECTED, column=PREDICTION, bin=">50K", **digest) == 0.25
    assert figure(registry, ROWS, column=PREDICTION, bin="<=50K", **digest) == 0


def test_predictions_whose_shares_are_not_known_have_no_series() -> None:
    registry = CollectorRegistry()
    CellMetrics(registry, make_contract(make_table()))
    assert figure(registry, EXPECTED, column=PREDICTION) is None


def test_rows_are_counted_in_their_cells() -> None:
    frame = make_table()
    contract = make_contract(frame)
    matrix = Encoder(contract).encode(frame)
    registry = CollectorRegistry()
    CellMetrics(registry, contract, (0.5, 0.5)).count(matrix, np.arange(len(matrix)) % 2)
    assert figure(registry, ROWS, column="age") == len(matrix)
    assert figure(registry, ROWS, column="education-num", bin="(null)") == frame["education-num"].isna().sum()
    assert figure(registry, ROWS, column=PREDICTION, bin=">50K") == len(matrix) // 2
