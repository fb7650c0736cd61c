"""Tables from and to single formats; CSV is read in a module of its own."""

from __future__ import annotations

import io
import json
from typing import IO, Any

import pandas as pd
import pyarrow as pa
from pyarrow import feather, parquet

from modelyard.data.excel import write_excel
from modelyard.data.sources import TableFormat
from modelyard.data.text import decode
from modelyard.errors import TableUnreadable, UsageError
from modelyard.utils.sentences import first_line

__all__ = ["read_arrow", "read_json_lines", "read_parquet", "write_table"]

ONE_OBJECT = "write one JSON object a line"


def read_parquet(data: bytes, path: str) -> pd.DataFrame:
    """Parses a Parquet file.

    Raises:
        TableUnreadable: It is none, or damaged.
    """
    try:
        return _frame(parquet.read_table(io.BytesIO(data)))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableUnreadable(path, f"is no readable Parquet file: {first_line(error)}") from None


def read_arrow(data: bytes, path: str) -> pd.DataFrame:
    """Parses an Arrow file (Feather version 2), or an Arrow stream.

    Raises:
        TableUnreadable: It is neither, or damaged.
    """
    try:
        if data.startswith((b"ARROW1", b"FEA1")):
            return _frame(feather.read_table(io.BytesIO(data)))
        return _frame(pa.ipc.open_stream(data).read_all())
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableUnreadable(path, f"is no readable Arrow file: {first_line(error)}") from None


def read_json_lines(data: bytes, path: str, encoding: str = "utf-8") -> pd.DataFrame:
    """Parses one JSON object a line; a key that a line lacks is null there.

    Raises:
        TableUnreadable: Names the first line that is no JSON object.
    """
    rows: list[dict[str, Any]] = []
    # not splitlines: JSON texts may hold other line separators than the line feed
    for number, line in enumerate(decode(data, path, encoding).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise TableUnreadable(path, f"line {number} is not valid JSON: {error}", ONE_OBJECT) from None
        except RecursionError:
            raise TableUnreadable(path, f"line {number} is nested too deeply", ONE_OBJECT) from None
        if not isinstance(row, dict):
            raise TableUnreadable(path, f"line {number} is no JSON object", ONE_OBJECT)
        rows.append(row)
    return pd.DataFrame.from_records(rows)


def write_table(frame: pd.DataFrame, file: IO[bytes], file_format: TableFormat) -> None:
    """Writes a frame without its index.

    Raises:
        UsageError: The format cannot hold the frame, or one of its values.
    """
    try:
        if file_format == "csv":
            frame.to_csv(file, index=False)
        elif file_format == "jsonl":
            frame.to_json(file, orient="records", lines=True, date_format="iso", date_unit="us", double_precision=15)
        elif file_format == "parquet":
            frame.to_parquet(file, index=False)
        elif file_format == "excel":
            write_excel(frame, file)
        else:
            frame.reset_index(drop=True).to_feather(file)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"the table cannot be saved as {file_format}: {first_line(error)}") from None


def _frame(table: pa.Table) -> pd.DataFrame:
    if len(set(table.column_names)) < table.num_columns:
        # the caller names the column; pandas' metadata cannot be applied to names that occur twice
        table = table.replace_schema_metadata(None)
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.float64()))
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    # a frame's named index is a column as soon as it is in a file
    return frame.reset_index(drop=all(name is None for name in frame.index.names))
