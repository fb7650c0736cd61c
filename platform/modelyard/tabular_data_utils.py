"""First looks at a table in a notebook."""

from __future__ import annotations

import pandas as pd

from modelyard.config.models import DataSettings
from modelyard.data.inference import infer_columns

__all__ = ["summarize_table"]


def summarize_table(frame: pd.DataFrame, settings: DataSettings | None = None) -> pd.DataFrame:
    """Summarizes each column as a contract would see it.

    Args:
        frame: The table.
        settings: Kinds and dropped columns; none: as inferred.

    Returns:
        Indexed by column: ``kind``, ``nulls`` (share of the rows), ``distinct``, ``minimum``, ``maximum`` (numbers
        and datetimes; seconds since 1970), ``most_frequent`` (categories) and ``set_aside`` (why a model would not
        see the column).

    Raises:
        ColumnNotFound: The settings name a column that the table does not have.
        ContractViolation: A value does not fit the kind that the settings give its column.
    """
    columns, set_aside = infer_columns(frame, settings or DataSettings())
    described = {column.name: column for column in columns}
    rows = []
    for name in map(str, frame.columns):
        column = described.get(name)
        rows.append(
            {
                "column": name,
                "kind": column.kind if column else None,
                "nulls": float(frame[name].isna().mean()),
                "distinct": int(frame[name].map(str, na_action="ignore").nunique()),
                "minimum": column.minimum if column else None,
                "maximum": column.maximum if column else None,
                "most_frequent": column.vocabulary[0] if column and column.vocabulary else None,
                "set_aside": set_aside.get(name),
            }
        )
    return pd.DataFrame(rows).set_index("column")
