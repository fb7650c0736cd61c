"""What kind a column's values are."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pandas as pd
from pandas.api.types import infer_dtype

from modelyard.utils.types import Kind

__all__ = ["kind_of"]

ISO_DATE = re.compile(r"\s*\d{4}-\d{2}-\d{2}([T ]|\s*$)")
KIND_BY_INFERRED: dict[str, Kind] = {
    "boolean": "boolean",
    "date": "datetime",
    "datetime": "datetime",
    "datetime64": "datetime",
    "decimal": "numeric",
    "empty": "numeric",
    "floating": "numeric",
    "integer": "numeric",
    "integer-na": "numeric",
    "mixed-integer-float": "numeric",
}


def kind_of(values: pd.Series[Any]) -> Kind | None:
    """Returns the kind that a column's type and values speak for; None where no kind can hold them.

    Texts are booleans where all are true or false, datetimes where all are ISO 8601 dates or times, otherwise
    categories. Numbers stay numeric however few they are: a tree or a one-hot code can tell later.
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "datetime"
    if pd.api.types.is_complex_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return None
    if pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    return _kind_of_objects(values.dropna())


def _kind_of_objects(known: pd.Series[Any]) -> Kind | None:
    inferred = "string" if isinstance(known.dtype, pd.StringDtype) else infer_dtype(known)
    if inferred in KIND_BY_INFERRED:
        return KIND_BY_INFERRED[inferred]
    if inferred == "string":
        return _kind_of_texts(known.unique().tolist())
    if all(isinstance(value, str | bool | int | float) for value in known):
        return "categorical"
    return None


def _kind_of_texts(texts: list[str]) -> Kind:
    if texts and {text.strip().lower() for text in texts} <= {"true", "false"}:
        return "boolean"
    if texts and all(_is_iso(text) for text in texts):
        return "datetime"
    return "categorical"


def _is_iso(text: str) -> bool:
    # fromisoformat alone would take plain digits such as 20240101, and week dates
    if not ISO_DATE.match(text):
        return False
    try:
        dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return True
