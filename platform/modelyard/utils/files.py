"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile

__all__ = ["write_whole"]


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
