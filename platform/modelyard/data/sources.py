"""Bytes from and to any fsspec address; a file appears whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import IO, Any, Literal, cast

import fsspec
from fsspec.core import url_to_fs
from fsspec.utils import infer_compression

from modelyard.errors import TableUnreadable, UsageError, nearest
from modelyard.utils.sentences import first_line

__all__ = ["TableFormat", "format_of", "parquet_files", "read_bytes", "write_bytes", "written_format"]

TableFormat = Literal["csv", "parquet", "jsonl", "arrow", "excel"]

ENDINGS: Mapping[str, TableFormat] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".xlsx": "excel",
}
WRITTEN = "CSV (.csv), Parquet (.parquet), JSON lines (.jsonl), Arrow (.arrow) or Excel (.xlsx)"


def format_of(path: str) -> TableFormat:
    """Returns the format that a file's ending stands for, before ``.gz`` and the like; CSV where it says nothing."""
    return ENDINGS.get(_ending(path), "csv")


def written_format(path: str) -> TableFormat:
    """Returns the format in which a table is written to a path; CSV where it has no ending.

    Raises:
        UsageError: No table is written under this ending; names those that are.
    """
    ending = _ending(path)
    if ending and ending not in ENDINGS:
        raise UsageError(f"{path}: a table cannot be saved as {ending}; save it as {WRITTEN}")
    return ENDINGS.get(ending, "csv")


def parquet_files(path: str, storage_options: Mapping[str, Any] | None = None) -> list[str]:
    """Returns the Parquet files in a folder and below it, in the order of their names; none where it is no folder.

    Raises:
        TableUnreadable: The address means nothing, or the folder has no such file.
    """
    try:
        system, inner = url_to_fs(path, **(storage_options or {}))
        # others may write there: what was seen a moment ago is not all
        system.invalidate_cache()
        if not system.isdir(inner):
            return []
        # what is being written has a name that begins with a dot
        found = [each for each in system.find(inner) if each.endswith(".parquet") and "/." not in each]
    except ImportError as error:
        raise TableUnreadable(path, str(error).rstrip("."), "install the package for this kind of address") from None
    except Exception as error:  # each file system raises what it likes
        raise _unreadable(path, error) from None
    if not found:
        raise TableUnreadable(path, "is a folder without Parquet files", "name the file in it")
    return [str(system.unstrip_protocol(each)) for each in sorted(found)]


def read_bytes(path: str, storage_options: Mapping[str, Any] | None = None) -> bytes:
    """Reads a whole file, unpacked where its ending says that it is compressed.

    Raises:
        TableUnreadable: There is no such file, it may not be read, or its address means nothing.
    """
    try:
        system, inner = url_to_fs(path, **(storage_options or {}))
        with system.open(inner, "rb", compression="infer") as file:
            return cast("bytes", file.read())
    except FileNotFoundError:
        raise TableUnreadable(path, "there is no such file", _neighbours(path)) from None
    except ImportError as error:
        raise TableUnreadable(path, str(error).rstrip("."), "install the package for this kind of address") from None
    except TableUnreadable:
        raise
    except Exception as error:  # each file system and each compression raises what it likes
        raise _unreadable(path, error) from None


def write_bytes(
    path: str, write: Callable[[IO[bytes]], object], storage_options: Mapping[str, Any] | None = None
) -> None:
    """Hands `write` an open file under a temporary name beside `path`, then renames it.

    Raises:
        TableUnreadable: The address cannot be written to.
    """
    try:
        system, inner = url_to_fs(path, **(storage_options or {}))
        folder, _, name = inner.rpartition("/")
        if folder:
            system.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{uuid.uuid4().hex}.{name}" if folder else f".{uuid.uuid4().hex}.{name}"
        try:
            with system.open(temporary, "wb", compression=infer_compression(path)) as file:
                write(file)
            _rename(system, temporary, inner)
        finally:
            if system.exists(temporary):
                system.rm_file(temporary)
    except ImportError as error:
        raise TableUnreadable(path, str(error).rstrip("."), "install the package for this kind of address") from None
    except (OSError, ValueError) as error:
        raise TableUnreadable(path, f"cannot be written: {_reason(error)}") from None


def _ending(path: str) -> str:
    stem, ending = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] if infer_compression(path.lower()) else ending


def _unreadable(path: str, error: Exception) -> TableUnreadable:
    unreadable = TableUnreadable(path, f"cannot be read: {_reason(error)}")
    unreadable.transient = "://" in path  # a storage that does not answer now
    return unreadable


def _rename(system: fsspec.AbstractFileSystem, source: str, destination: str) -> None:
    # mv of the local file system moves into a destination that is a folder, os.replace refuses
    if "file" in system.protocol:
        os.replace(source, destination)
    else:
        system.mv(source, destination)


def _neighbours(path: str) -> str:
    folder, name = os.path.split(path)
    if "://" in path or not os.path.isdir(folder or "."):
        return "check the address"
    return nearest(name, (entry.name for entry in os.scandir(folder or ".") if _is_shown(entry)))


def _is_shown(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and not entry.name.startswith(".")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or first_line(error)).rstrip(".")
