"""A contract that a person wrote or edited, held against the table it is used on."""

from __future__ import annotations

import pandas as pd

from modelyard.config.models import DataSettings
from modelyard.data.bins import count_values, shares
from modelyard.data.contract import Column, Contract
from modelyard.data.sources import read_bytes
from modelyard.errors import ColumnNotFound, ConfigError, DataError

__all__ = ["read_contract"]


def read_contract(frame: pd.DataFrame, settings: DataSettings) -> Contract:
    """Reads `settings.contract`; shares that an edit of a vocabulary or of edges outdated are counted again.

    Args:
        frame: The training table.
        settings: Names the file; must not contradict it.

    Raises:
        TableUnreadable: The file cannot be read.
        DataError: It is no contract.
        ColumnNotFound: It has a column that the table lacks.
        ConfigError: The settings name another target, or drop a column of the contract.
        ContractViolation: A value of the table is not of the kind that the contract says.
    """
    path = str(settings.contract)
    try:
        contract = Contract.from_json(read_bytes(path, settings.storage_options))
    except DataError as error:
        if path in str(error):
            raise
        raise DataError(f"{path}: {error}") from None
    for name in (*contract.names, contract.target.name):
        if name not in frame:
            raise ColumnNotFound(name, map(str, frame.columns), f"{path}: the table")
    if settings.target not in (None, contract.target.name):
        raise ConfigError("data.target", f"is {settings.target!r}, but {path} predicts {contract.target.name!r}")
    for name in settings.drop:
        if name in contract.names:
            raise ConfigError("data.drop", f"names {name!r}, which {path} has as an input", hint="drop it there")
    if list(contract.target.bins) != sorted(set(contract.target.bins)):
        raise DataError(f"{path}: target {contract.target.name!r}: the bins do not ascend")
    columns = tuple(_recounted(column, frame, path) for column in contract.columns)
    return contract.model_copy(update={"columns": columns})


def _recounted(column: Column, frame: pd.DataFrame, path: str) -> Column:
    if len(set(column.vocabulary)) < len(column.vocabulary):
        raise DataError(f"{path}: column {column.name!r}: the vocabulary has a category twice")
    if list(column.bins) != sorted(set(column.bins)):
        raise DataError(f"{path}: column {column.name!r}: the bins do not ascend")
    counts = count_values(column, frame[column.name])
    return column if len(column.shares) == len(counts) else column.model_copy(update={"shares": shares(counts)})
