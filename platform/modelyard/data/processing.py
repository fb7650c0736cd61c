"""Features for a model of one's own: what the contract and the encoding know, as a frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from modelyard.config.models import DataSettings
from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import FIRST_CODE, Encoder
from modelyard.data.inference import infer_columns
from modelyard.data.loading import load_data
from modelyard.errors import ColumnNotFound, ConfigError, DataError, nearest

__all__ = ["engineer_features", "scale_features"]

Scaling = Literal["standard", "minmax", "robust", "none"]
CategoricalEncoding = Literal["one_hot", "ordinal", "none"]

SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "categorical_encoding": get_args(CategoricalEncoding),
    "scaling_method": get_args(Scaling),
}
DEFAULTS: Mapping[str, Any] = {"target_column": None, "categorical_encoding": "one_hot", "scaling_method": "standard"}


def engineer_features(
    data: pd.DataFrame | str | os.PathLike[str], config: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Turns a table into numbers: encodes categories, splits datetimes into parts, scales.

    Identifiers, constants and empty columns are left out. Nulls of numbers stay null; a null category has 0 in all
    its one-hot columns, and its own code as an ordinal.

    Args:
        data: A table, or a path that `load_data` understands.
        config: ``target_column`` (kept as it is, last; none: a column called ``target``),
            ``categorical_encoding`` (``one_hot``, ``ordinal`` by frequency, or ``none``) and ``scaling_method``
            (``standard``, ``minmax``, ``robust`` or ``none``; of numbers, dates and booleans, not of categories).

    Returns:
        A frame with the index of `data`: float32 features, categories as they are where they are not encoded.

    Raises:
        ConfigError: An unknown key or value.
        ColumnNotFound: The target is not in the table.
        DataError: No column is left.
    """
    options = _options(config or {})
    frame = data if isinstance(data, pd.DataFrame) else load_data(data)
    target = options["target_column"]
    if target is None and "target" in frame:
        target = "target"
    if target is not None and target not in frame:
        raise ColumnNotFound(target, map(str, frame.columns))
    columns, _ = infer_columns(frame, DataSettings(), target)
    if not columns:
        raise DataError("no column is left to make features from: all are empty, constant or identifiers")
    features, numeric = _features(frame, columns, options["categorical_encoding"])
    if numeric:
        features = scale_features(features, options["scaling_method"], numeric)
    return features if target is None else features.assign(**{target: frame[target]})


def scale_features(
    frame: pd.DataFrame, method: Scaling = "standard", columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Scales numeric columns; nulls stay null.

    Args:
        frame: The table; it is not changed.
        method: ``standard`` (mean 0, deviation 1), ``minmax`` (0 to 1), ``robust`` (median 0, interquartile range 1)
            or ``none``.
        columns: Which columns; none: all numeric ones, booleans not.

    Returns:
        A copy with these columns scaled.

    Raises:
        ConfigError: An unknown method.
        ColumnNotFound: A column is not in the table.
        DataError: A column is not numeric.
    """
    _check_choice("scaling_method", method)
    numeric = frame.select_dtypes("number").columns
    names = list(numeric) if columns is None else list(columns)
    for name in names:
        if name not in frame:
            raise ColumnNotFound(name, map(str, frame.columns))
        if name not in numeric:
            raise DataError(f"column {name!r} is {frame[name].dtype}, not numeric; leave it out or encode it first")
    if method == "none" or not names:
        return frame.copy()
    values = frame[names].to_numpy(dtype=np.float64, na_value=np.nan)
    scaled = pd.DataFrame(SCALERS[method]().fit_transform(values), columns=names, index=frame.index)
    return frame.assign(**{name: scaled[name].astype(np.float32) for name in names})


def _features(
    frame: pd.DataFrame, columns: Iterable[Column], encoding: CategoricalEncoding
) -> tuple[pd.DataFrame, list[str]]:
    """Returns the encoded features, and the names of those that are no categories."""
    contract = Contract(columns=tuple(columns), target=Target(name="", task="regression"))
    encoder = Encoder(contract)
    vocabularies = {column.name: column.vocabulary for column in contract.columns}
    parts: dict[str, Any] = {}
    numeric: list[str] = []
    for feature, values in zip(encoder.features, encoder.encode(frame).T, strict=True):
        if feature.kind == "number":
            parts[feature.name] = values
            numeric.append(feature.name)
        elif encoding == "none":
            parts[feature.name] = frame[feature.column].array
        elif encoding == "ordinal":
            parts[feature.name] = values
        else:
            for code, category in enumerate(vocabularies[feature.column], FIRST_CODE):
                parts[f"{feature.name}={category}"] = (values == code).astype(np.float32)
    return pd.DataFrame(parts, index=frame.index), numeric


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    for key in config:
        if key not in DEFAULTS:
            raise ConfigError(
                str(key), "there is no such setting of engineer_features", hint=nearest(str(key), DEFAULTS)
            )
    options = {**DEFAULTS, **config}
    for key in CHOICES:
        _check_choice(key, options[key])
    return options


def _check_choice(key: str, value: Any) -> None:
    if value not in CHOICES[key]:
        raise ConfigError(key, f"{value!r} is none of its values", hint=nearest(str(value), CHOICES[key]))
