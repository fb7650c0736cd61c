"""Files between this machine and a storage that others reach too."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from pathlib import Path

from modelyard.registry.runs import Run
from modelyard.registry.storage import Storage

__all__ = ["fetch_run", "upload_once"]


def upload_once(content: bytes, name: str, storage: Storage, folder: str) -> str:
    """Uploads a file below its digest; the same content under the same name is sent once.

    Args:
        content: Of the file.
        name: Of the file.
        storage: Where to.
        folder: In it.

    Returns:
        The file's address.
    """
    place = f"{folder}/{hashlib.sha256(content).hexdigest()}/{name}"
    if not storage.exists(place):
        storage.write(place, content)
    return f"{storage.url}/{place}"


def fetch_run(run: Run, root: str | os.PathLike[str]) -> Run:
    """Copies a run into a local folder of runs, where it replaces the copy that was fetched before.

    Args:
        run: A run in a storage.
        root: The folder of runs, such as ``storage.runs``.

    Returns:
        The copy.
    """
    target = Path(root).absolute() / run.name
    temporary = target.with_name(f".{run.name}.{uuid.uuid4().hex[:8]}")
    temporary.mkdir(parents=True)
    try:
        run.storage.download(temporary)
        shutil.rmtree(temporary / "lease", ignore_errors=True)  # who may write the original says nothing of the copy
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return Run(run.name, Storage(target))
