"""The contract that a training table speaks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from modelyard.config.models import DataSettings
from modelyard.data.contract import Column, Contract
from modelyard.data.describe import describe
from modelyard.data.edited import read_contract
from modelyard.data.encoding import booleans, category_text, numbers, plain_values
from modelyard.data.kinds import kind_of
from modelyard.data.set_aside import set_aside_reason
from modelyard.data.target import infer_target, known_rows, target_name
from modelyard.errors import ColumnNotFound, ConfigError, DataError

__all__ = ["infer_columns", "infer_contract"]

Plain = str | bool | int | float | None
DROP = "leave it out; the column is then set aside"


def infer_contract(frame: pd.DataFrame, settings: DataSettings) -> Contract:
    """Infers what the columns are, which of them a model may see, and what is predicted.

    Rows whose target is null are not looked at. With `settings.contract`, the contract comes from that file and
    is held against the table.

    Args:
        frame: The training table.
        settings: Target, task, positive class, dropped columns, kinds, longest vocabulary.

    Raises:
        ColumnNotFound: The target, or a column that the settings name, is not in the table.
        ConfigError: The settings contradict the table.
        ContractViolation: A value does not fit the kind that the settings give its column.
        DataError: The target has one value only, no column is left, or names are no texts or stand there twice.
    """
    _check_names(frame)
    if settings.contract is not None:
        return read_contract(frame, settings)
    name = target_name(frame, settings)
    rows = known_rows(frame, name)
    target = infer_target(rows[name], settings)
    columns, set_aside = infer_columns(rows, settings, name)
    if not columns:
        reasons = "; ".join(f"{column!r} is {reason}" for column, reason in list(set_aside.items())[:3])
        raise DataError("no column is left for a model: " + (reasons or "the table has the target alone"))
    return Contract(columns=columns, target=target, set_aside=set_aside, example=_example(rows, columns))


def infer_columns(
    frame: pd.DataFrame, settings: DataSettings, target: str | None = None
) -> tuple[tuple[Column, ...], dict[str, str]]:
    """Infers the input columns, and why the others are set aside.

    Args:
        frame: The training table.
        settings: Dropped columns, kinds, longest vocabulary.
        target: The column that is no input.

    Returns:
        The columns in the table's order, and a reason by column that is set aside.

    Raises:
        ColumnNotFound: A column that the settings name is not in the table.
        ConfigError: The settings drop the target, or give it a kind.
        ContractViolation: A value does not fit the kind that the settings give its column.
        DataError: A column's name is no text, or stands there twice.
    """
    _check_names(frame)
    _check_settings(frame, settings, target)
    columns: list[Column] = []
    set_aside: dict[str, str] = {}
    for name in map(str, frame.columns):
        if name == target:
            continue
        found = "dropped by data.drop" if name in settings.drop else _column_or_reason(frame, name, settings)
        if isinstance(found, Column):
            columns.append(found)
        else:
            set_aside[name] = found
    return tuple(columns), set_aside


def _column_or_reason(frame: pd.DataFrame, name: str, settings: DataSettings) -> Column | str:
    values = frame[name]
    kind = settings.kinds.get(name) or kind_of(values)
    if name in settings.kinds and values.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
        raise ConfigError(f"data.kinds.{name}", "is given for a column of lists, which no model can use", hint=DROP)
    if kind is None:
        return "of a type that no model can use"
    # a kind that a person gave is their word that the column means something
    reason = None if name in settings.kinds else set_aside_reason(values, name, kind)
    return reason or describe(values, name, kind, settings.max_categories)


def _check_names(frame: pd.DataFrame) -> None:
    for name, double in zip(frame.columns, frame.columns.duplicated(), strict=True):
        if not isinstance(name, str):
            raise DataError(f"the column name {name!r} is no text; set frame.columns = frame.columns.astype(str)")
        if double:
            raise DataError(f"column {name!r} stands in the table twice; rename one of them")


def _check_settings(frame: pd.DataFrame, settings: DataSettings, target: str | None) -> None:
    for key, names in (("drop", settings.drop), ("kinds", settings.kinds)):
        for name in names:
            if name not in frame:
                raise ColumnNotFound(name, map(str, frame.columns), f"data.{key}: the table")
            if name == target:
                raise ConfigError(
                    f"data.{key}", f"names the target {name!r}", hint="set data.task or data.target instead"
                )


def _example(frame: pd.DataFrame, columns: tuple[Column, ...]) -> dict[str, Plain]:
    """Returns the first row with the fewest nulls, as a client would send it."""
    nulls = frame[[column.name for column in columns]].isna().sum(axis=1).to_numpy()
    row = frame.iloc[[int(nulls.argmin())]]
    return {column.name: _plain(row[column.name], column) for column in columns}


def _plain(value: pd.Series[Any], column: Column) -> Plain:
    if value.isna().any():
        return None
    if column.kind == "boolean":
        return bool(booleans(value, column.name)[0])
    if column.kind == "numeric":
        number = float(numbers(value, column.name)[0])
        if not np.isfinite(number):
            return None
        return int(number) if column.integer else number
    return category_text(value.iloc[0]) if column.kind == "datetime" else category_text(plain_values(value)[0])
