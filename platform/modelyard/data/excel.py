"""Excel workbooks (.xlsx) to and from frames, by openpyxl."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import IO, BinaryIO, cast

import pandas as pd

from modelyard.data.csv import NULL_TEXTS
from modelyard.errors import MissingDependency, TableUnreadable
from modelyard.utils.sentences import first_line

__all__ = ["read_excel", "require_excel", "write_excel"]

MAX_TEXT = 32_767  # characters of a cell


def require_excel() -> None:
    """Checks that openpyxl is installed.

    Raises:
        MissingDependency: It is not.
    """
    if find_spec("openpyxl") is None:
        raise MissingDependency("an Excel workbook", ["openpyxl"], "excel")


def read_excel(data: bytes, path: str) -> pd.DataFrame:
    """Parses the first sheet of a workbook: its first row names the columns, formulas have their stored values.

    Raises:
        MissingDependency: openpyxl is not installed.
        TableUnreadable: It is not a workbook, is damaged, or has a column twice.
    """
    require_excel()
    try:
        with pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
            names = pd.read_excel(book, header=None, nrows=1).to_numpy(dtype=object).ravel().tolist()
            frame = pd.read_excel(book, na_values=list(NULL_TEXTS), keep_default_na=False)
    except Exception as error:  # openpyxl raises what its parts do: KeyError, BadZipFile, ParseError and others
        raise TableUnreadable(path, f"is not a readable Excel workbook (.xlsx): {first_line(error)}") from None
    double = next((name for name in names if name == name and names.count(name) > 1), None)
    if double is not None:  # pandas would rename the second one
        raise TableUnreadable(path, f"column {str(double)!r} occurs twice", "rename one of them")
    return frame


def write_excel(frame: pd.DataFrame, file: IO[bytes]) -> None:
    """Writes a frame as the one sheet of a workbook, without its index; texts that begin with = stay texts.

    Raises:
        ValueError: A workbook cannot hold the frame: too many rows or columns, a time with an offset, a text that is
            too long or has a control character.
    """
    from openpyxl.utils.exceptions import IllegalCharacterError

    for name, values in frame.items():
        # openpyxl would cut it
        if values.map(lambda value: isinstance(value, str) and len(value) > MAX_TEXT).any():
            raise ValueError(f"column {name!r} has a text of more than {MAX_TEXT:,} characters")
    try:
        with pd.ExcelWriter(cast("BinaryIO", file), engine="openpyxl") as writer:
            frame.to_excel(writer, index=False)
            for row in writer.book.worksheets[0].iter_rows():
                for cell in row:
                    if cell.data_type == "f":
                        cell.data_type = "s"
    except IllegalCharacterError:
        raise ValueError("a text has a control character") from None
