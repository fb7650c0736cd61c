from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from figures import figure
from modelyard.data.encoding import Encoder
from modelyard.monitoring.cells import PREDICTION, CellMetrics
from modelyard.monitoring.metrics import PredictionMetrics
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


def test_rows_are_counted_alike_at_once_and_one_by_one() -> None:
    frame = make_table()
    contract = make_contract(frame)
    matrix = Encoder(contract).encode(frame)
    codes = np.arange(len(matrix)) % 2
    found = []
    for one_by_one in (False, True):
        metrics = PredictionMetrics(CollectorRegistry())
        metrics.expect(["<=50K", ">50K"], [])
        metrics.cells = CellMetrics(metrics.registry, contract, (0.5, 0.5))
        if one_by_one:
            for row, code in zip(matrix, codes.tolist(), strict=True):
                metrics.count_one(code, row.tobytes())
            metrics.flush()
        else:
            metrics.cells.count(matrix, codes)
        assert figure(metrics.registry, ROWS, column="age") == len(matrix)
        assert (
            figure(metrics.registry, ROWS, column="education-num", bin="(null)") == frame["education-num"].isna().sum()
        )
        assert figure(metrics.registry, ROWS, column=PREDICTION, bin=">50K") == len(matrix) // 2
        families = {family.name: family for family in metrics.registry.collect()}
        found.append(
            [sample.value for sample in families["modelyard_drift_rows"].samples if "created" not in sample.name]
        )
    assert found[0] == found[1]
