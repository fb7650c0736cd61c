"""The manifest of a model folder: which files belong to it, with their digests."""

from __future__ import annotations

import hashlib
import json
import os
from io import BufferedReader
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from modelyard.errors import ArtifactDamaged, ModelNotFound
from modelyard.utils.documents import MAX_DOCUMENT_BYTES
from modelyard.utils.files import open_regular

__all__ = [
    "CARD",
    "CONTRACT",
    "GRAPH",
    "MANIFEST",
    "PIPELINE",
    "REFERENCE",
    "Manifest",
    "copy_model",
    "read_file",
    "read_files",
    "read_manifest",
]

GRAPH, PIPELINE, REFERENCE = "model.onnx", "pipeline.pkl", "reference.npy"
CONTRACT, CARD, MANIFEST = "contract.json", "card.json", "manifest.json"
# the longest legitimate ones: a contract holds the vocabularies of its columns
MAX_BYTES = {CONTRACT: 64 * 2**20, CARD: MAX_DOCUMENT_BYTES, MANIFEST: MAX_DOCUMENT_BYTES}
SHOWN = 12


class Manifest(BaseModel):
    """What belongs to a model folder.

    Attributes:
        format: Version of the folder's layout.
        files: SHA-256 (hex) by file name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    files: dict[str, str]

    def to_json(self) -> str:
        """Returns the manifest for its file; the same files always give the same text."""
        return json.dumps({"format": self.format, "files": dict(sorted(self.files.items()))}, indent=2) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the manifest: names the model and everything in it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def version(self) -> str:
        """The part of the digest that is shown."""
        return self.digest[:SHOWN]


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Returns a model folder's manifest.

    Raises:
        ModelNotFound: There is no such folder.
        ArtifactDamaged: The manifest is missing, is none, or lacks a file that every model has.
    """
    path = Path(folder)
    if not path.is_dir():
        siblings = [child.name for child in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ModelNotFound(str(path), [name for name in siblings if not name.startswith(".")])
    try:
        manifest = Manifest.model_validate_json(_content(path, MANIFEST))
    except ValidationError:
        raise ArtifactDamaged(str(path), MANIFEST, "is no manifest of a format that this version reads") from None
    lacking = {CONTRACT, CARD} - set(manifest.files)
    if lacking or not {GRAPH, PIPELINE} & set(manifest.files):
        raise ArtifactDamaged(str(path), MANIFEST, f"does not name {min(lacking, default=GRAPH)}")
    strange = set(manifest.files) - {GRAPH, PIPELINE, REFERENCE, CONTRACT, CARD}
    if strange:
        raise ArtifactDamaged(str(path), MANIFEST, f"names {min(strange)!r}, which belongs to no model")
    return manifest


def copy_model(source: Path, target: Path) -> None:
    """Copies what a model's manifest lists, and nothing else that lies beside it.

    Every file is checked against its digest as it is copied.

    Args:
        source: The model's folder.
        target: Folder that the files go to; it is made where it does not exist.

    Raises:
        ModelNotFound: There is no such folder.
        ArtifactDamaged: A file is missing, a symbolic link or no regular file, or differs from the manifest.
    """
    manifest = read_manifest(source)
    target.mkdir(exist_ok=True)
    for name, digest in manifest.files.items():
        (target / name).write_bytes(read_file(source, name, digest, follow_symlinks=False))
    (target / MANIFEST).write_text(manifest.to_json())


def read_files(folder: Path, manifest: Manifest, wanted: set[str]) -> dict[str, bytes]:
    """Checks every file's digest and returns the contents of contract, card and those that are wanted."""
    parts = {}
    for name, digest in manifest.files.items():
        if name in wanted or name in (CONTRACT, CARD):
            parts[name] = read_file(folder, name, digest)
        else:
            _check(folder, name, digest)
    return parts


def read_file(folder: Path, name: str, digest: str, *, follow_symlinks: bool = True) -> bytes:
    """Returns the content of a file after its digest was checked.

    Raises:
        ArtifactDamaged: It is missing, no regular file, too long, or differs from the digest.
    """
    content = _content(folder, name, follow_symlinks=follow_symlinks)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ArtifactDamaged(str(folder), name, "differs from the manifest")
    return content


def _content(folder: Path, name: str, *, follow_symlinks: bool = True) -> bytes:
    limit = MAX_BYTES.get(name)
    with _opened(folder, name, follow_symlinks=follow_symlinks) as file:
        content = file.read() if limit is None else file.read(limit + 1)
    if limit is not None and len(content) > limit:
        raise ArtifactDamaged(str(folder), name, f"is longer than {limit} bytes")
    return content


def _check(folder: Path, name: str, digest: str) -> None:
    with _opened(folder, name) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise ArtifactDamaged(str(folder), name, "differs from the manifest")


def _opened(folder: Path, name: str, *, follow_symlinks: bool = True) -> BufferedReader:
    try:
        return open_regular(folder / name, follow_symlinks=follow_symlinks)
    except FileNotFoundError:
        raise ArtifactDamaged(str(folder), name, "is missing") from None
    except OSError as error:
        raise ArtifactDamaged(str(folder), name, f"cannot be read: {error.strerror}") from None
