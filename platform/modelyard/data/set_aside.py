"""Columns from which no model can learn, and why."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from modelyard.utils.types import Kind

__all__ = ["set_aside_reason"]

# below this, values that all differ say little
MIN_ROWS = 20
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
IDENTIFIER_WORDS = {"id", "ids", "identifier", "index", "idx", "key", "uuid", "guid", "unnamed", "rowid"}


def set_aside_reason(values: pd.Series[Any], name: str, kind: Kind) -> str | None:
    """Returns why no model can learn from a column; None where one may.

    A column is useless where it is empty or constant, and an identifier where it names its row instead of saying
    something about it. Texts do where each stands once. Whole numbers do only where, beside that, they count the rows
    from 0 or 1 up, or the column's name says so: a sorted measurement differs in every row too. Other numbers never do.
    """
    return _useless(values) or _identifier(values, name, kind)


def _useless(values: pd.Series[Any]) -> str | None:
    known = values.dropna()
    if known.empty:
        return "empty: every value is null"
    if len(known) == len(values) and known.nunique() == 1:
        shown = known.iloc[0]
        return f"constant: always {shown.item() if isinstance(shown, np.generic) else shown!r}"
    return None


def _identifier(values: pd.Series[Any], name: str, kind: Kind) -> str | None:
    known = values.dropna()
    if len(known) < MIN_ROWS or known.nunique() < len(known):
        return None
    if kind == "categorical":
        return "identifier: every row has a text of its own"
    if kind != "numeric" or len(known) < len(values) or not pd.api.types.is_integer_dtype(values.dtype):
        return None
    numbers = known.to_numpy()
    if numbers[0] in (0, 1) and bool((np.diff(numbers) == 1).all()):
        return "identifier: it counts the rows"
    words = [word.lower() for word in WORD.findall(name)]
    if words and not IDENTIFIER_WORDS.isdisjoint((words[0], words[-1])):
        return "identifier: every row has a number of its own, and its name says so"
    return None
