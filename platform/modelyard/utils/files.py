"""Local files: written completely or not at all, and read only where they are regular files."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from io import BufferedReader

__all__ = ["open_regular", "write_whole"]


def write_whole(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file: all of it or, where this is interrupted, nothing; what stood there stays until then.

    Args:
        path: Of the file, in a folder that exists.
        text: What it holds, as UTF-8.

    Raises:
        OSError: It cannot be written; the error names the path, not a temporary file.
    """
    folder, name = os.path.split(os.path.abspath(path))
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o644)  # a temporary file is its owner's alone
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def open_regular(path: str | os.PathLike[str], *, follow_symlinks: bool = True) -> BufferedReader:
    """Opens a regular file for reading, and never waits for a writer as the end of a FIFO does.

    Args:
        path: Of the file.
        follow_symlinks: Whether the path may be a symbolic link.

    Raises:
        OSError: It cannot be opened, or is a folder, a FIFO, a device or a link that is not followed.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_symlinks else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "is a symbolic link", os.fspath(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    return os.fdopen(descriptor, "rb")
