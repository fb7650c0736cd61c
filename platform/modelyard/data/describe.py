"""One column's part of the contract, from its values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from modelyard.data.bins import category_counts, count_values, quantile_edges, shares
from modelyard.data.contract import Column
from modelyard.data.encoding import numbers, timestamps
from modelyard.utils.types import Kind

__all__ = ["describe"]


def describe(values: pd.Series[Any], name: str, kind: Kind, max_categories: int) -> Column:
    """Returns what the contract says of a column.

    Args:
        values: The training rows.
        name: The column's name.
        kind: What the values are taken for.
        max_categories: Longest vocabulary.

    Raises:
        ContractViolation: A value is not of this kind.
    """
    facts: dict[str, Any] = {"name": name, "kind": kind}
    if kind == "categorical":
        counts = category_counts(values)
        facts["vocabulary"] = tuple(sorted(counts, key=lambda text: (-counts[text], text))[:max_categories])
    elif kind != "boolean":
        found = (timestamps if kind == "datetime" else numbers)(values, name)
        known = found[np.isfinite(found)]
        if len(known):
            facts |= {"minimum": float(known.min()), "maximum": float(known.max())}
        facts["integer"] = kind == "numeric" and bool(len(known)) and bool((known == np.trunc(known)).all())
        facts["bins"] = quantile_edges(found)
    counted = count_values(Column(**facts), values)
    return Column(**facts, nullable=bool(counted[0]), shares=shares(counted))
