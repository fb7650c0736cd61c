"""Tables from pairs (X, y), the form in which scikit-learn's users hold their data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from modelyard.config.models import DataSettings
from modelyard.data.contract import Contract
from modelyard.data.inference import infer_contract
from modelyard.data.kinds import kind_of
from modelyard.data.target import check_task
from modelyard.errors import UsageError
from modelyard.utils.types import Kind, Task

__all__ = ["as_frame", "infer_pair"]


def infer_pair(X: Any, y: Any, task: Task | None = None) -> tuple[pd.DataFrame, Contract]:
    """Joins features and target in one frame and infers its contract.

    Args:
        X: Frame, or array or sequence of rows, shape (n, columns).
        y: Labels or values, shape (n,).
        task: Kind of prediction; None infers it from `y`.

    Returns:
        The frame, with the target in a column of its own, and the contract.

    Raises:
        UsageError: X and y do not fit each other, or the task is unknown.
        ConfigError: The task contradicts `y`.
        DataError: No model can be fitted to the table.
    """
    frame, kinds = as_frame(X)
    target = np.asarray(y)
    if target.ndim != 1 and target.shape != (len(target), 1):
        raise UsageError(f"y has the shape {target.shape}; pass one label or value for each row: (n,)")
    if len(frame) != len(target):
        raise UsageError(f"X has {len(frame)} rows and y {len(target)}; pass labels of the same rows")
    name = _free_name(frame)
    frame = frame.assign(**{name: target.ravel()})
    settings = DataSettings(target=name, kinds=kinds, task=check_task(task))
    return frame, infer_contract(frame, settings)


def as_frame(X: Any) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """Returns a frame with a fresh index, and a kind for each column of an array.

    The columns of an array have no names by which a model could find them again. They are called ``x0``, ``x1`` and so
    on, and a kind that is set keeps the contract from setting any of them aside.

    Args:
        X: Frame, or array or sequence of rows, shape (n, columns).

    Raises:
        UsageError: X is no table.
    """
    if isinstance(X, pd.DataFrame):
        return X.reset_index(drop=True), {}
    # as objects, so that numbers beside texts stay numbers
    matrix = X if isinstance(X, np.ndarray) else np.array(X, dtype=object)
    if matrix.ndim != 2:
        raise UsageError(f"X has the shape {matrix.shape}; give one row a record: (n, columns)")
    columns = {f"x{number}": pd.Series(matrix[:, number].tolist()) for number in range(matrix.shape[1])}
    kinds: dict[str, Kind] = {name: kind_of(values) or "categorical" for name, values in columns.items()}
    return pd.DataFrame(columns), kinds


def _free_name(frame: pd.DataFrame) -> str:
    name = "target"
    while name in frame.columns:
        name += "_"
    return name
