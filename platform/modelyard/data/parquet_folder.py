"""A folder of Parquet files as one table, which it is only where every file has the same columns."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyarrow import parquet

from modelyard.data.row_checks import listed_names
from modelyard.errors import TableUnreadable
from modelyard.utils.sentences import first_line

__all__ = ["check_schemas", "kinds_of"]

MAX_FILES = 3
ANY = "null"  # of a column without any value, which goes with every kind


def kinds_of(data: bytes, path: str) -> dict[str, str]:
    """Returns the kind of each column of a Parquet file; types of one kind can stand in one column of a table.

    Raises:
        TableUnreadable: It is not a Parquet file, or damaged.
    """
    try:
        schema = parquet.read_schema(io.BytesIO(data))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableUnreadable(path, f"is not a readable Parquet file: {first_line(error)}") from None
    return {field.name: _kind(field.type) for field in schema}


def check_schemas(path: str, files: Mapping[str, Mapping[str, str]]) -> None:
    """Checks that files have the same columns, of the same kinds, in any order.

    Args:
        path: The folder.
        files: Kind by column, by file.

    Raises:
        TableUnreadable: Names the files that differ from the first one, and how.
    """
    first, *others = files
    expected = dict(files[first])
    differing: list[str] = []
    for file in others:
        found = files[file]
        problems = _differences(expected, found)
        if problems:
            differing.append(f"{file} {' and '.join(problems)}")
        else:
            expected.update({name: kind for name, kind in found.items() if expected[name] == ANY})
    if differing:
        # commonpath would take the // out of a URL
        folder = os.path.commonprefix(list(files)).rpartition("/")[0] + "/"  # noqa: RUF071
        differing = [text.removeprefix(folder) for text in differing]
        more = f"; and {len(differing) - MAX_FILES} more" if len(differing) > MAX_FILES else ""
        raise TableUnreadable(
            path,
            f"{len(differing)} of its {len(files)} files do not have the columns of {first.removeprefix(folder)}: "
            + "; ".join(differing[:MAX_FILES])
            + more,
            "load them one by one, or move them into a folder of their own",
        )


def _differences(expected: Mapping[str, str], found: Mapping[str, str]) -> Sequence[str]:
    missing = [name for name in expected if name not in found]
    further = [name for name in found if name not in expected]
    problems = [f"lacks {listed_names(missing)}"] if missing else []
    if further:
        problems.append(f"has {listed_names(further)}")
    for name, kind in found.items():
        if name in expected and kind != expected[name] and ANY not in (kind, expected[name]):
            problems.append(f"has {kind} in {name!r}, not {expected[name]}")
    return problems


def _kind(arrow: pa.DataType) -> str:
    if pa.types.is_dictionary(arrow):
        return _kind(arrow.value_type)
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return f"lists of {_kind(arrow.value_type)}"
    if pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return "numbers"
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow):
        return "texts"
    if pa.types.is_timestamp(arrow) or pa.types.is_date(arrow):
        return "times" if getattr(arrow, "tz", None) is None else "times with an offset"
    return str(arrow)
