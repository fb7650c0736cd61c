"""A folder, on this machine or anywhere fsspec reaches."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from modelyard.errors import UsageError
from modelyard.utils.sentences import first_line

__all__ = ["Storage"]


class Storage:
    """A folder of small files; a reader never sees half of one.

    Args:
        url: Path of a local folder, or an fsspec URL. It need not exist.
        options: Options of the fsspec file system.

    Attributes:
        url: The folder: an absolute path, or the URL.
        local: Whether it is a folder of this machine.

    Raises:
        UsageError: Nothing that is installed can open such an address.
    """

    def __init__(self, url: str | os.PathLike[str], options: dict[str, Any] | None = None) -> None:
        try:
            # a cached listing would hide what other processes wrote since
            self._fs, self._root = url_to_fs(os.fspath(url), use_listings_cache=False, **(options or {}))
        except (ImportError, ValueError) as error:
            raise UsageError(f"{url} cannot be opened: {first_line(error)}; check storage.runs") from None
        self.local = isinstance(self._fs, LocalFileSystem)
        self.url: str = self._root if self.local else self._fs.unstrip_protocol(self._root)

    def __repr__(self) -> str:
        return f"Storage({self.url!r})"

    def __truediv__(self, name: str) -> Storage:
        """Returns a folder inside this one."""
        child = Storage.__new__(Storage)
        child._fs, child.local = self._fs, self.local
        child._root, child.url = f"{self._root}/{name}", f"{self.url}/{name}"
        return child

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Returns a file's content.

        Args:
            name: Of the file.
            limit: Number of bytes to read at most. Defaults to all.

        Raises:
            FileNotFoundError: It is not there.
        """
        with self._reached():
            content: bytes = self._fs.cat_file(self._path(name), start=None if limit is None else 0, end=limit)
            return content

    def read_all(self, folder: str) -> dict[str, bytes]:
        """Returns the content of every file directly in a folder, by name in ascending order."""
        names = self.list(folder)
        paths = [self._path(f"{folder}/{name}") for name in names]
        # fetches them at the same time where it can, and takes no character of a path for a pattern, as cat does
        with self._reached():
            contents = self._fs.cat_ranges(paths, [None] * len(paths), [None] * len(paths), on_error="raise")
        return dict(zip(names, contents, strict=True))

    def write(self, name: str, content: bytes | str) -> None:
        """Writes a file: all of it or, where this is interrupted, nothing."""
        data = content.encode() if isinstance(content, str) else content
        if not self.local:
            with self._reached():
                self._fs.pipe_file(self._path(name), data)
            return
        temporary = self._temporary(name, data)
        os.replace(temporary, self._path(name))

    def create(self, name: str, content: bytes | str) -> bool:
        """Writes a file unless there is one; returns whether it did. Of several at once, one succeeds."""
        data = content.encode() if isinstance(content, str) else content
        try:
            if not self.local:
                with self._reached():
                    self._fs.pipe_file(self._path(name), data, mode="create")
                return True
            temporary = self._temporary(name, data)
            try:
                os.link(temporary, self._path(name))
            finally:
                os.unlink(temporary)
        except FileExistsError:
            return False
        return True

    def upload(self, folder: Path, name: str) -> None:
        """Copies a local folder of files."""
        for file in folder.iterdir():
            self.write(f"{name}/{file.name}", file.read_bytes())

    def download(self, folder: Path) -> None:
        """Copies everything to a local folder, names that begin with a dot excepted.

        An object store takes any key: those with an empty or dotted part, which could lead out of the folder, are left
        out.
        """
        with self._reached():
            paths = [str(path) for path in self._fs.find(self._root)]
        names = {path: path[len(self._root) + 1 :] for path in paths}
        wanted = [path for path in paths if all(part and part[0] != "." for part in names[path].split("/"))]
        for path in wanted:
            (folder / names[path]).parent.mkdir(parents=True, exist_ok=True)
        # two lists of the same length: fetches them at the same time where it can, and takes no name for a pattern
        with self._reached():
            self._fs.get(wanted, [str(folder / names[path]) for path in wanted])

    def list(self, folder: str = "") -> list[str]:
        """Returns the names in a folder in ascending order; none where it is not there."""
        with contextlib.suppress(FileNotFoundError), self._reached():
            paths = self._fs.ls(self._path(folder), detail=False, refresh=True)
            names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in paths)
            return sorted(name for name in names if not name.startswith("."))
        return []

    def exists(self, name: str = "") -> bool:
        """Returns whether a file or folder is there."""
        with self._reached():
            return bool(self._fs.exists(self._path(name)))

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Makes an OSError of what a file system raises where it cannot reach its storage."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # each raises what it likes
            raise OSError(errno.EIO, f"{self.url} cannot be reached: {first_line(error)}") from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _temporary(self, name: str, data: bytes) -> str:
        folder, _, base = self._path(name).rpartition("/")
        os.makedirs(folder, exist_ok=True)
        temporary = f"{folder}/.{base}.{uuid.uuid4().hex[:8]}"
        with open(temporary, "wb") as file:
            file.write(data)
        return temporary
