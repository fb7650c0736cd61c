"""Plugins of one's own on a node: wheels out of a storage, before anything imports them.

    python -m modelyard_tuning.wheels FOLDER URL...

A wheel is an archive whose content lies on the module path, so that nothing has to be installed: an image may be
read-only and without pip.
"""

from __future__ import annotations

import io
import sys
import zipfile

from modelyard.errors import UsageError
from modelyard.registry.storage import Storage

__all__ = ["unpack"]


def unpack(target: str, urls: list[str]) -> None:
    """Unpacks wheels into a folder for ``PYTHONPATH``.

    Raises:
        UsageError: One is no wheel.
    """
    for url in urls:
        folder, _, name = url.rpartition("/")
        try:
            with zipfile.ZipFile(io.BytesIO(Storage(folder).read(name))) as wheel:
                wheel.extractall(target)
        except zipfile.BadZipFile:
            raise UsageError(f"{url} is no wheel; build one with: python -m build --wheel") from None


if __name__ == "__main__":
    unpack(sys.argv[1], sys.argv[2:])
