"""Tables in and out: files of any format, any fsspec address, and scikit-learn's bundled sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
from pydantic import ValidationError

from modelyard.config.models import DataSettings
from modelyard.data.bundled import SCHEME, load_bundled
from modelyard.data.csv import read_csv
from modelyard.data.excel import read_excel, require_excel
from modelyard.data.formats import read_arrow, read_json_lines, read_parquet, write_table
from modelyard.data.parquet_folder import check_schemas, kinds_of
from modelyard.data.sources import TableFormat, format_of, parquet_files, read_bytes, write_bytes, written_format
from modelyard.errors import ConfigError, TableUnreadable, UsageError, nearest

__all__ = ["check_output", "load_data", "save_data"]


def load_data(path: str | os.PathLike[str], settings: DataSettings | None = None, **options: Any) -> pd.DataFrame:
    """Loads a table.

    Args:
        path: A file, a folder of Parquet files with the same columns such as a log of predictions, an fsspec URL or
            ``sklearn://NAME``. Of an Excel workbook, the first sheet is read.
        settings: How to read it; its own ``path`` is not looked at.
        **options: Single settings that win over `settings`, such as ``separator=";"``.

    Returns:
        One row a record, the columns in the file's order; column names are texts.

    Raises:
        TableUnreadable: Missing, empty, of another format or encoding, with a column twice, or a folder of Parquet
            files that differ in their columns.
        MissingDependency: An Excel workbook needs the extra `excel`.
        MalformedRow: A row with more or fewer fields than there are columns.
        ConfigError: An option that does not exist or has a wrong value.

    Example:
        >>> load_data("people.csv", separator=";", na_values=["?"])  # doctest: +SKIP
    """
    address = os.fspath(path)
    how = _with_options(settings or DataSettings(), options)
    frame = load_bundled(address) if address.startswith(SCHEME) else _read(address, how)
    frame.columns = pd.Index([str(name) for name in frame.columns])
    double = frame.columns[frame.columns.duplicated()]
    if len(double):
        raise TableUnreadable(address, f"column {double[0]!r} stands there twice", "rename one of them")
    if frame.empty:
        raise TableUnreadable(address, "has columns but no rows" if len(frame.columns) else "is empty")
    return frame


def save_data(
    frame: pd.DataFrame, path: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None
) -> None:
    """Saves a table in the format that the path's ending stands for: CSV, Parquet, JSON lines, Arrow or Excel.

    The index is not saved. The file appears whole or not at all.

    Args:
        frame: The table.
        path: A file or an fsspec URL.
        storage_options: Options of the fsspec file system.

    Raises:
        UsageError: The path is ``sklearn://``, has the ending of another format, or the format cannot hold the table.
        MissingDependency: An Excel workbook needs the extra `excel`.
        TableUnreadable: The address cannot be written to.
    """
    address = os.fspath(path)
    file_format = check_output(address)
    write_bytes(address, lambda file: write_table(frame, file, file_format), storage_options)


def check_output(path: str | os.PathLike[str]) -> TableFormat:
    """Returns the format in which a table is saved to a path, before any work is done for it.

    Raises:
        UsageError: The path is ``sklearn://``, or has the ending of a format that is not written.
        MissingDependency: An Excel workbook needs the extra `excel`.
    """
    address = os.fspath(path)
    if address.startswith(SCHEME):
        raise UsageError(f"{address}: scikit-learn's bundled tables cannot be written; give a file")
    file_format = written_format(address)
    if file_format == "excel":
        require_excel()
    return file_format


def _read(address: str, settings: DataSettings) -> pd.DataFrame:
    files = parquet_files(address, settings.storage_options)
    if files:
        return _read_files(address, files, settings)
    return _parse(read_bytes(address, settings.storage_options), address, settings)


def _read_files(folder: str, files: list[str], settings: DataSettings) -> pd.DataFrame:
    kinds, frames = {}, []
    for file in files:
        data = read_bytes(file, settings.storage_options)
        kinds[file] = kinds_of(data, file)
        frames.append(_parse(data, file, settings))
    check_schemas(folder, kinds)
    return pd.concat(frames, ignore_index=True)


def _parse(data: bytes, address: str, settings: DataSettings) -> pd.DataFrame:
    if not data:
        raise TableUnreadable(address, "is empty")
    file_format = format_of(address) if settings.format == "auto" else settings.format
    if file_format == "csv":
        return read_csv(data, address, settings)
    if file_format == "parquet":
        frame = read_parquet(data, address)
    elif file_format == "arrow":
        frame = read_arrow(data, address)
    elif file_format == "excel":
        frame = read_excel(data, address)
    else:
        frame = read_json_lines(data, address, settings.encoding)
    return _nullify(frame, [text.strip() for text in settings.na_values])


def _nullify(frame: pd.DataFrame, texts: list[str]) -> pd.DataFrame:
    if texts:
        for name in frame.select_dtypes(["str", "object"]).columns:
            hidden = frame[name].map(lambda value: isinstance(value, str) and value.strip() in texts)
            frame[name] = frame[name].mask(hidden.astype(bool))
    return frame


def _with_options(settings: DataSettings, options: Mapping[str, Any]) -> DataSettings:
    for key in options:
        if key not in DataSettings.model_fields:
            hint = nearest(key, DataSettings.model_fields)
            raise ConfigError(f"data.{key}", "there is no such setting", hint=hint)
    try:
        return DataSettings.model_validate({**settings.model_dump(), **options})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError("data." + ".".join(map(str, first["loc"])), first["msg"]) from None
