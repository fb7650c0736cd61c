"""Batch scoring: a table in, its predictions out."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from modelyard.config.models import DataSettings
from modelyard.data.loading import check_output, load_data, save_data
from modelyard.errors import UsageError
from modelyard.models.artifact import load_model
from modelyard.models.batches import CHUNK_ROWS, answer_columns, chunks
from modelyard.models.model import Model

__all__ = ["batch_predict"]


def batch_predict(
    model: Model | str | os.PathLike[str],
    data: pd.DataFrame | str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    settings: DataSettings | None = None,
    chunk_rows: int = CHUNK_ROWS,
    allow_pickle: bool = False,
) -> pd.DataFrame:
    """Predicts every row of a table.

    Args:
        model: A model, or the folder of one.
        data: A frame, or the address of a table.
        output: Where to save the answer, in the format that its ending stands for; whole or not at all.
        settings: How to read `data` where it is an address.
        chunk_rows: Rows that are scored at a time.
        allow_pickle: Whether a folder without a compiled graph may be loaded.

    Returns:
        The columns that the model does not read (keys, the target where it is there), then ``prediction``
        and, for classes, one ``probability_<class>`` each, in the order of `Model.classes_`. Rows have the order and
        the index of `data`.

    Raises:
        ContractViolation: The table lacks a column, or holds a value of another kind; names column and row.
        UsageError: A column already has the name of an answer, `output` has the ending of a format that is not
            written, or `chunk_rows` is not positive.
    """
    if chunk_rows < 1:
        raise UsageError(f"chunk_rows is {chunk_rows}; it must be at least 1")
    if output is not None:
        check_output(output)
    scoring = model if isinstance(model, Model) else load_model(model, allow_pickle=allow_pickle)
    frame = data if isinstance(data, pd.DataFrame) else load_data(data, settings)
    answers = _answers(scoring, frame, chunk_rows)
    kept = frame.drop(columns=[name for name in scoring.contract.names if name in frame.columns])
    taken = next((name for name in answers.columns if name in kept.columns), None)
    if taken is not None:
        raise UsageError(f"the table has a column {taken!r}, which the answer needs; rename it")
    result = pd.concat([kept, answers], axis=1)
    if output is not None:
        save_data(result, output)
    return result


def _answers(model: Model, frame: pd.DataFrame, chunk_rows: int) -> pd.DataFrame:
    # encoded in one piece, so that an error names the table's own row
    matrix = model.encode(frame)
    parts = [model.scorer(matrix[rows]) for rows in chunks(len(matrix), chunk_rows)]
    if not parts:
        raise UsageError("the table has no rows to predict")
    scores = np.concatenate(parts)
    decided = model.decide(scores)
    classes = model.classes_.tolist() if model.contract.target.classes else ()
    return pd.DataFrame(answer_columns(classes, model.sort_columns(scores), decided), index=frame.index)
