"""A folder as one layer of an image: the same files always give the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from modelyard.errors import ImageError
from modelyard.models.capacity import CAPACITY

__all__ = ["HOME", "Layer", "make_layer"]

HOME = PurePosixPath("opt/modelyard/bento")
FOLDER_MODE, FILE_MODE = 0o755, 0o644
# the level decides on the bytes: changing it changes every digest
COMPRESSION = 6
# what serving a bento leaves in it: bytecode, and figures of the machine that it was measured on
SKIPPED = ("__pycache__", CAPACITY)
# two builds of one model differ in nothing else
BENTO, CREATION = "bento.yaml", re.compile(rb"^creation_time: .*$", re.MULTILINE)
NO_TIME = b"creation_time: '1970-01-01T00:00:00+00:00'"


@dataclass(frozen=True)
class Layer:
    """A compressed layer in a file.

    Attributes:
        path: The file.
        digest: Of the file.
        size: Of the file, in bytes.
        diff_id: Digest of what it is when it is not compressed.
    """

    path: Path
    digest: str
    size: int
    diff_id: str


class _Digested(io.RawIOBase):
    """Writes to a file, and digests what goes through."""

    def __init__(self, target: IO[bytes] | gzip.GzipFile) -> None:
        self._target, self._hash, self.size = target, hashlib.sha256(), 0

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # it is given nothing but bytes
        self._hash.update(content)
        self.size += len(content)
        self._target.write(content)
        return len(content)


def make_layer(bento: Path, target: Path) -> Layer:
    """Writes a bento's folder as a layer that lays it under /opt/modelyard/bento.

    Entries are sorted; owner, times and modes are fixed, since they are of this machine and not of the bento.

    Args:
        bento: The bento's folder.
        target: The file to write.

    Raises:
        ImageError: There is something in the folder that is neither a file nor a folder.
    """
    with target.open("wb") as file:
        packed = _Digested(file)
        with gzip.GzipFile("", "wb", COMPRESSION, packed, mtime=0) as squeezed:
            plain = _Digested(squeezed)
            with tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                for folder in (*reversed(HOME.parents[:-2]), HOME):
                    _add(tar, folder, None)
                for path in _walk(bento):
                    _add(tar, HOME / path.relative_to(bento).as_posix(), path)
    return Layer(target, packed.digest, packed.size, plain.digest)


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in SKIPPED:
            continue
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise ImageError(str(path), "is neither a file nor a folder", "remove it, or pack the model again")
        yield path
        if path.is_dir():
            yield from _walk(path)


def _add(tar: tarfile.TarFile, name: PurePosixPath, path: Path | None) -> None:
    entry = tarfile.TarInfo(str(name))
    if path is None or path.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, FOLDER_MODE
        tar.addfile(entry)
        return
    content = path.read_bytes()
    if name == HOME / BENTO:
        content = CREATION.sub(NO_TIME, content)
    entry.size, entry.mode = len(content), FILE_MODE
    tar.addfile(entry, io.BytesIO(content))
