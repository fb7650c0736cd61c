"""Feature engineering: the contract's encoding of a table, as a frame for any model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from modelyard.config.models import DataSettings, Settings
from modelyard.data.contract import Contract, Target
from modelyard.data.encoding import FIRST_CODE, Encoder
from modelyard.data.inference import infer_columns
from modelyard.data.loading import load_data
from modelyard.data.pairs import as_frame
from modelyard.errors import ColumnNotFound, ConfigError, DataError, nearest
from modelyard.utils.types import Kind

__all__ = ["FeatureEngineer", "engineer_features", "scale_features"]

Scaling = Literal["standard", "minmax", "robust", "none"]
CategoricalEncoding = Literal["one_hot", "ordinal", "none"]

SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "categorical_encoding": get_args(CategoricalEncoding),
    "scaling_method": get_args(Scaling),
}
DEFAULTS: Mapping[str, Any] = {"target_column": None, "categorical_encoding": "one_hot", "scaling_method": "standard"}


class FeatureEngineer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """Transformer that encodes categories, splits datetimes into parts and scales numbers.

    Columns, categories and scales are those of the table that `fit` saw, so that training and test rows get the same
    features. Identifiers, constants and empty columns are left out. Nulls and infinities of numbers become NaN. A null
    or unknown category has 0 in all its one-hot columns, and a code of its own as an ordinal.

    Args:
        target_column: Column that is no feature; where a table has it, it is kept as it is, last. Defaults to a column
            called ``target``, if the table has one.
        categorical_encoding: ``one_hot``, ``ordinal`` by frequency, or ``none``.
        scaling_method: ``standard``, ``minmax``, ``robust`` or ``none``; of numbers, datetimes and booleans, not of
            categories.

    Attributes:
        contract_: Columns that are used, with their kinds and categories.
        target_: Name of the target; None if the fitted table had none.
        n_features_in_: Number of columns of the fitted table.
        feature_names_in_: Their names.

    Example:
        >>> train = pd.DataFrame({"size": [1.0, 2.0, 3.0], "color": ["red", "blue", "red"]})
        >>> engineer = FeatureEngineer(scaling_method="minmax").fit(train)
        >>> engineer.transform(pd.DataFrame({"size": [2.0], "color": ["green"]})).to_dict("records")
        [{'size': 0.5, 'color=red': 0.0, 'color=blue': 0.0}]
    """

    def __init__(
        self,
        target_column: str | None = None,
        categorical_encoding: CategoricalEncoding = "one_hot",
        scaling_method: Scaling = "standard",
    ) -> None:
        self.target_column = target_column
        self.categorical_encoding = categorical_encoding
        self.scaling_method = scaling_method

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: ARG002  scikit-learn's signature
        """Infers columns, categories and scales.

        Args:
            X: Frame, or array or sequence of rows, shape (n, columns).
            y: Ignored.

        Raises:
            ConfigError: An unknown choice.
            ColumnNotFound: The target is not in the table.
            DataError: No column is left.
        """
        for key in CHOICES:
            _check_choice(key, getattr(self, key))
        frame, kinds = _table(X)
        target = self.target_column or ("target" if "target" in frame else None)
        if target is not None and target not in frame:
            raise ColumnNotFound(target, map(str, frame.columns))
        columns, _ = infer_columns(_finite(frame, target), DataSettings(kinds=kinds), target)
        if not columns:
            raise DataError("no column is left to make features from: all are empty, constant or identifiers")
        self.target_ = target
        self.contract_ = Contract(columns=columns, target=Target(name=target or "", task="regression"))
        self.feature_names_in_ = np.asarray(frame.columns, dtype=object)
        self.n_features_in_ = len(frame.columns)
        features, numeric = self._encode(frame)
        self._scaled = numeric if self.scaling_method != "none" else []
        self._scaler = SCALERS[self.scaling_method]().fit(_numbers(features, numeric)) if self._scaled else None
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Returns the features of a table with the columns of the fitted one, with or without the target.

        Args:
            X: Frame, or array or sequence of rows, shape (n, columns).

        Returns:
            A frame with the index of `X`: float32 features, categories as they are where they are not encoded.

        Raises:
            NotFittedError: `fit` was not called.
            ContractViolation: A column is missing, or a value is of another kind.
        """
        check_is_fitted(self)
        frame, _ = _table(X)
        features, _ = self._encode(frame)
        if self._scaler is not None:
            scaled = self._scaler.transform(_numbers(features, self._scaled)).astype(np.float32)
            for name, values in zip(self._scaled, scaled.T, strict=True):
                features[name] = values
        return features if self.target_ not in frame else features.assign(**{str(self.target_): frame[self.target_]})

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:  # noqa: ARG002
        """Returns the names of the features, without the target.

        Args:
            input_features: Ignored; the names are those of the fitted table.
        """
        check_is_fitted(self)
        return np.array([name for name, _ in self._names()], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def _names(self) -> list[tuple[str, bool]]:
        """Names of the features, and whether each is a number."""
        vocabularies = {column.name: column.vocabulary for column in self.contract_.columns}
        names: list[tuple[str, bool]] = []
        for feature in Encoder(self.contract_).features:
            if feature.kind == "number" or self.categorical_encoding != "one_hot":
                names.append((feature.name, feature.kind == "number"))
            else:
                names.extend((f"{feature.name}={category}", False) for category in vocabularies[feature.column])
        return names

    def _encode(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """The features before scaling, and the names of those that are numbers."""
        frame = _finite(frame, self.target_)
        encoder = Encoder(self.contract_)
        columns: list[Any] = []
        for feature, values in zip(encoder.features, encoder.encode(frame).T, strict=True):
            if feature.kind == "number" or self.categorical_encoding == "ordinal":
                columns.append(values)
            elif self.categorical_encoding == "none":
                columns.append(frame[feature.column].array)
            else:
                categories = next(one.vocabulary for one in self.contract_.columns if one.name == feature.column)
                codes = range(FIRST_CODE, FIRST_CODE + len(categories))
                columns.extend((values == code).astype(np.float32) for code in codes)
        names = self._names()
        table = {name: values for (name, _), values in zip(names, columns, strict=True)}
        return pd.DataFrame(table, index=frame.index), [name for name, is_number in names if is_number]


def engineer_features(
    data: pd.DataFrame | str | os.PathLike[str], config: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Fits a `FeatureEngineer` to a table and returns its features.

    Use `FeatureEngineer` where other rows have to get the same columns and scales.

    Args:
        data: A table, or a path that `load_data` understands.
        config: ``target_column``, ``categorical_encoding`` and ``scaling_method``, as of `FeatureEngineer`. Groups of
            settings, such as ``model`` and ``ml``, may stand beside them, so that the same mapping configures
            `train_model`; of these, ``data.target`` names the target where ``target_column`` does not.

    Returns:
        A frame with the index of `data`: float32 features, categories as they are where they are not encoded, and
        the target, last.

    Raises:
        ConfigError: An unknown key or value.
        ColumnNotFound: The target is not in the table.
        DataError: No column is left.

    Example:
        >>> engineer_features(pd.DataFrame({"size": [1.0, 3.0]}), {"scaling_method": "minmax"})["size"].tolist()
        [0.0, 1.0]
    """
    frame = data if isinstance(data, pd.DataFrame) else load_data(data)
    features: pd.DataFrame = FeatureEngineer(**_options(config or {})).fit_transform(frame)
    return features


def scale_features(
    frame: pd.DataFrame, method: Scaling = "standard", columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Scales numeric columns; nulls stay null and infinities become null.

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
    scaled = SCALERS[method]().fit_transform(_numbers(frame, names)).astype(np.float32)
    return frame.assign(**dict(zip(names, scaled.T, strict=True)))


def _table(X: Any) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """A frame with its own index, or the frame of an array."""
    return (X, {}) if isinstance(X, pd.DataFrame) else as_frame(X)


def _numbers(frame: pd.DataFrame, names: list[str]) -> NDArray[np.float64]:
    values = frame[names].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _finite(frame: pd.DataFrame, target: str | None) -> pd.DataFrame:
    """Makes infinities null, except in the target."""
    infinite = frame.isin([np.inf, -np.inf])
    if target in infinite:
        infinite[target] = False
    return frame.mask(infinite) if infinite.to_numpy().any() else frame


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    groups = Settings.model_fields
    for key in config:
        if key not in DEFAULTS and str(key).partition(".")[0] not in groups:
            raise ConfigError(
                str(key), "is not a setting of engineer_features", hint=nearest(str(key), (*DEFAULTS, *groups))
            )
    data = config.get("data")
    target = config.get("data.target", data.get("target") if isinstance(data, Mapping) else None)
    return {**DEFAULTS, "target_column": target, **{key: config[key] for key in DEFAULTS if key in config}}


def _check_choice(key: str, value: Any) -> None:
    if value not in CHOICES[key]:
        raise ConfigError(key, f"{value!r} is none of its values", hint=nearest(str(value), CHOICES[key]))
