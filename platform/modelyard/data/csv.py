"""Delimited text to a frame."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.errors import ParserError, ParserWarning

from modelyard.config.models import DataSettings
from modelyard.data.text import codec_of, wrong_encoding
from modelyard.errors import ConfigError, MalformedRow, TableUnreadable

__all__ = ["NULL_TEXTS", "read_csv"]

CHECK = "check data.separator and data.quote"
NULL_TEXTS = ("", "NA", "NaN", "nan", "null", "NULL", "None")
# the rarer a character is inside values, the sooner it is taken where several would do
SEPARATORS = ("\t", ";", "|", ",", " ")
HEAD_BYTES = 65_536
HEAD_LINES = 50
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Dialect:
    encoding: str
    separator: str
    quote: str

    def options(self) -> dict[str, Any]:
        return {"delimiter": self.separator, "quotechar": self.quote, "skipinitialspace": True}


def read_csv(data: bytes, path: str, settings: DataSettings) -> pd.DataFrame:
    """Parses a delimited text; blanks around a value mean nothing.

    Args:
        data: The file's bytes.
        path: Its address, for messages.
        settings: Separator, quote, header, columns, na_values and encoding.

    Raises:
        TableUnreadable: Empty, not of this encoding, a column twice, or not as many as `settings.columns`.
        MalformedRow: The first row with more or fewer fields than there are columns.
    """
    dialect, first = _open(data, path, settings)
    header = settings.columns is None if settings.header is None else settings.header
    names = _names(first, path, settings, header)
    nulls = [*NULL_TEXTS, *(text.strip() for text in settings.na_values)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(data),
                encoding=dialect.encoding,
                sep=dialect.separator,
                quotechar=dialect.quote,
                header=0 if header else None,
                names=names,
                index_col=False,
                na_values=nulls,
                keep_default_na=False,
                skipinitialspace=True,
                low_memory=False,
            )
    except UnicodeDecodeError:
        raise wrong_encoding(data, path, settings.encoding) from None
    except (ParserError, ParserWarning) as error:
        last = _refuse_ragged(data, path, dialect, len(names))
        unclosed = f"the row of line {last} has a quote that is never closed"
        raise TableUnreadable(path, unclosed if "EOF" in str(error) else _plain(error), CHECK) from None
    # the parser fills a short row up, which always leaves its last column null
    if frame.iloc[:, -1].isna().any():
        _refuse_ragged(data, path, dialect, len(names))
    return _strip(frame, nulls)


def _open(data: bytes, path: str, settings: DataSettings) -> tuple[_Dialect, list[str]]:
    """Returns how to split the text, and its first row."""
    encoding = codec_of(settings.encoding)
    # to the end of a line, however long the lines are
    end = data.find(b"\n", HEAD_BYTES) + 1 or len(data)
    try:
        head = codecs.getincrementaldecoder(encoding)().decode(data[:end])
    except UnicodeError:
        raise wrong_encoding(data, path, settings.encoding) from None
    if "\0" in head:
        raise TableUnreadable(path, "is no text file", "set data.format or data.encoding to what it is")
    lines = [line for line in head.splitlines(keepends=True)[:HEAD_LINES] if line.strip()]
    if not lines:
        raise TableUnreadable(path, "is empty")
    separator = _separator(settings) or _find_separator(lines, settings)
    dialect = _Dialect(encoding, separator, settings.quote)
    try:
        return dialect, next(csv.reader(lines, **dialect.options()))
    except csv.Error as error:
        raise TableUnreadable(path, f"cannot be parsed: {error}", CHECK) from None


def _separator(settings: DataSettings) -> str | None:
    separator = "\t" if settings.separator == "\\t" else settings.separator
    if separator is not None and (len(separator) != 1 or separator == settings.quote):
        raise ConfigError("data.separator", f"{separator!r} is not one character beside the quote")
    return separator


def _find_separator(lines: Sequence[str], settings: DataSettings) -> str:
    """Takes the separator that splits the most lines into the same number of fields, more than one."""
    best, found = 0.0, ","
    for separator in SEPARATORS:
        if separator == settings.quote:
            continue
        dialect = _Dialect("", separator, settings.quote)
        try:
            widths = Counter(len(row) for row in csv.reader(lines, **dialect.options()))
        except csv.Error:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        share = count / widths.total()
        if settings.columns is not None and width == len(settings.columns):
            share += 1
        if width > 1 and share > best:
            best, found = share, separator
    return found


def _names(first: Sequence[str], path: str, settings: DataSettings, header: bool) -> list[str]:
    if settings.columns is not None:
        if len(settings.columns) != len(first):
            raise TableUnreadable(
                path,
                f"its first line has {len(first)} fields where data.columns names {len(settings.columns)}",
                "name every column, in the file's order",
            )
        names = list(settings.columns)
    elif header:
        names = [name.strip() or f"Unnamed: {place}" for place, name in enumerate(first)]
        if settings.header is None and 2 * sum(map(_is_number, names)) > len(names):
            logger.warning("%s: most names in the first line are numbers; if it is a row, set data.header=false", path)
    else:
        names = [f"column_{place}" for place in range(1, len(first) + 1)]
    double = [name for name, count in Counter(names).items() if count > 1]
    if double:
        places = " and ".join(str(place) for place, name in enumerate(names, 1) if name == double[0])
        hint = "name the columns by data.columns, with data.header=false where the file has no header line"
        raise TableUnreadable(path, f"column {double[0]!r} stands there twice, as fields {places}", hint)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_ragged(data: bytes, path: str, dialect: _Dialect, expected: int) -> int:
    """Looks for a ragged row; returns the line on which the last row begins."""
    text = io.TextIOWrapper(io.BytesIO(data), encoding=dialect.encoding, newline="")
    rows = csv.reader(text, **dialect.options())
    line = last = 1
    try:
        for row in rows:
            # the parser skips lines without anything in them
            if len(row) != expected and any(field.strip() for field in row):
                raise MalformedRow(path, line, expected, len(row))
            line, last = rows.line_num + 1, line
    except csv.Error as error:
        raise TableUnreadable(path, f"line {line} cannot be parsed: {error}") from None
    return last


def _strip(frame: pd.DataFrame, nulls: Sequence[str]) -> pd.DataFrame:
    """Takes trailing blanks off texts, with what they hid: nulls and numbers."""
    for name in frame.columns[[isinstance(dtype, pd.StringDtype) for dtype in frame.dtypes]]:
        stripped = frame[name].str.strip()
        if stripped.equals(frame[name]):
            continue
        stripped = stripped.mask(stripped.isin(nulls))
        as_numbers = pd.to_numeric(stripped, errors="coerce")
        frame[name] = as_numbers if as_numbers.isna().equals(stripped.isna()) else stripped
    return frame


def _plain(error: Exception) -> str:
    return str(error).strip().removeprefix("Error tokenizing data. C error: ").rstrip(".")
