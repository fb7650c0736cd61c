"""Rows by column and bin: of a table, of a log, or those that Prometheus gathered from a release's replicas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.monitoring.cells import PREDICTION, PredictedCells
from modelyard.monitoring.drift import Cell
from modelyard.monitoring.prometheus import ask

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OWN_COLUMNS", "TIME", "Observed", "logged_cells", "recorded_cells", "table_cells"]

# column and cell, in the contract's order
Observed = list[tuple[str, Cell]]
# what a log of predictions has beside the contract's columns; in parentheses, as no column of a table is likely to be
TIME = "(time)"
OWN_COLUMNS = (TIME, "(id)", "(version)", PREDICTION, "(scores)")
BY = "contract_digest, column, bin"
LOW_EDGE = re.compile(r"^(?:from )?(\S+?)(?: to \S+)?$")


def table_cells(
    contract: Contract, predicted: Sequence[float], matrix: NDArray[np.float32], predictions: NDArray[np.generic]
) -> Observed:
    """Counts rows at hand.

    Args:
        contract: What the rows are.
        predicted: The card's shares of predictions; none: predictions are left out.
        matrix: Encoded rows, shape (n, features).
        predictions: Codes of the classes, or values, n of them.
    """
    cells = PredictedCells(contract, predicted)
    counts = cells.count(matrix, predictions).tolist()
    return [
        (column, Cell(name, share, rows))
        for (column, name), share, rows in zip(cells.names, cells.expected, counts, strict=True)
    ]


def logged_cells(contract: Contract, predicted: Sequence[float], frame: pd.DataFrame) -> Observed | None:
    """Counts rows of a log of predictions; none where the frame is something else.

    Predictions are taken from the log, whichever version made them, and columns that it leaves out have no cells.

    Args:
        contract: What the rows are.
        predicted: As `table_cells` takes them.
        frame: What was read.
    """
    if not set(OWN_COLUMNS) <= set(frame.columns):
        return None
    hidden = [name for name in contract.names if name not in frame.columns]
    matrix = Encoder(contract).encode(frame.assign(**dict.fromkeys(hidden)))
    predictions = frame[PREDICTION]
    if contract.target.classes:
        predictions = predictions.map({label: code for code, label in enumerate(contract.target.classes)})
    known = predictions.notna().to_numpy()
    cells = table_cells(contract, predicted, matrix[known], predictions[known].to_numpy())
    return [(column, cell) for column, cell in cells if column not in hidden]


def recorded_cells(url: str, namespace: str, release: str, window: str) -> dict[str, Observed]:
    """Returns what a release's replicas counted together, by the digest of the contract.

    Args:
        url: Prometheus' address.
        namespace: Of the release.
        release: Its name.
        window: How far back, such as ``1d``.

    Raises:
        ClusterError: Prometheus does not answer, or refuses.
    """
    whose = f'namespace="{namespace}", release="{release}"'
    rows = ask(url, f"sum by ({BY}) (increase(modelyard_drift_rows_total{{{whose}}}[{window}]))")
    counted = {_key(labels): value for labels, value in rows}
    expected = ask(url, f"max by ({BY}) (modelyard_drift_expected_share{{{whose}}})")
    found: dict[str, Observed] = {}
    for labels, share in expected:
        digest, column, name = key = _key(labels)
        found.setdefault(digest, []).append((column, Cell(name, share, counted.get(key, 0.0))))
    return {digest: _in_order(cells) for digest, cells in found.items()}


def _key(labels: Mapping[str, str]) -> tuple[str, str, str]:
    return labels["contract_digest"], labels["column"], labels["bin"]


def _in_order(cells: Iterable[tuple[str, Cell]]) -> Observed:
    """Prometheus knows no order: what is no value first, then by the bins' lower edges or the categories' names."""

    def place(each: tuple[str, Cell]) -> tuple[str, int, float, str]:
        column, cell = each
        if cell.bin.startswith("("):
            return column, 0, 0.0, cell.bin
        if cell.bin.startswith("below "):
            return column, 1, 0.0, cell.bin
        edge = LOW_EDGE.match(cell.bin)
        try:
            return column, 2, float(edge[1]) if edge else 0.0, cell.bin
        except ValueError:
            return column, 2, 0.0, cell.bin

    return sorted(cells, key=place)
