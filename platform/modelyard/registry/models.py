"""The local model registry: a folder with versions of models, of which one is the champion.

models/NAME/VERSION/     a copy of the model's folder
models/champion.json     which of them is served
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from modelyard.config.models import Settings
from modelyard.errors import ModelError, ModelNotFound
from modelyard.models.artifact import read_card
from modelyard.models.manifest import copy_model, read_manifest
from modelyard.registry.storage import Storage
from modelyard.utils.documents import MAX_DOCUMENT_BYTES, parse_json
from modelyard.utils.files import open_regular
from modelyard.utils.names import is_plain_name

__all__ = ["Version", "champion", "find_model", "list_models", "promote", "register_model"]

ALIAS = "champion.json"


@dataclass(frozen=True)
class Version:
    """One registered version of a model.

    Attributes:
        name: The model's name.
        version: The version that its manifest gives it.
        path: Its folder.
    """

    name: str
    version: str
    path: Path


def register_model(folder: str | os.PathLike[str], where: Settings | str | os.PathLike[str]) -> Version:
    """Copies a model's folder into the registry; the same content is copied once.

    Args:
        folder: The model's folder, with its manifest.
        where: The registry's folder, or settings that name it.

    Raises:
        ModelNotFound: The folder is not there.
        ArtifactDamaged: A file of its manifest is missing, is no regular file or differs from it.
        ModelError: Its card is not valid: the model's name cannot name a folder, for example.
    """
    source = Path(folder)
    name, version = read_card(source).model, read_manifest(source).version
    found = Version(name, version, _root(where) / name / version)
    if not found.path.is_dir():
        found.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = found.path.parent / f".{version}.{uuid.uuid4().hex[:8]}"
        try:
            copy_model(source, temporary)
            temporary.rename(found.path)
        except OSError:
            if not found.path.is_dir():  # else another process was faster with the same content
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return found


def promote(folder: str | os.PathLike[str], where: Settings | str | os.PathLike[str]) -> Version | None:
    """Registers a model and makes it the champion, which `champion` and a plain service then use.

    Args:
        folder: The model's folder.
        where: The registry's folder, or settings that name it.

    Returns:
        The champion that it replaced; none where there was none, or the same one.

    Raises:
        ModelNotFound: The folder is not there.
        ArtifactDamaged: A file in it is missing or differs from its manifest.
        ModelError: The registry's record of its champion is damaged.
    """
    before = _champion(_root(where))
    new = register_model(folder, where)
    document = {"name": new.name, "version": new.version}
    Storage(_root(where)).write(ALIAS, json.dumps(document, indent=2) + "\n")
    return None if before == new else before


def champion(where: Settings | str | os.PathLike[str]) -> Path:
    """Returns the folder of the current champion.

    Raises:
        ModelNotFound: There is none.
        ModelError: The registry's record of it is damaged.
    """
    found = _champion(_root(where))
    if found is None:
        raise ModelNotFound("champion", hint="make one with: modelyard pack RUN")
    return found.path


def find_model(where: Settings | str | os.PathLike[str], name: str, version: str | None = None) -> Version:
    """Returns a version of a model; without `version` the newest.

    Raises:
        ModelNotFound: No such model or version; names the nearest.
    """
    versions = [model for model in list_models(where) if model.name == name]
    if not versions:
        raise ModelNotFound(name, _names(_root(where)))
    if version is None:
        return max(versions, key=lambda model: model.path.stat().st_mtime_ns)
    for model in versions:
        if model.version == version:
            return model
    raise ModelNotFound(f"{name}:{version}", [f"{model.name}:{model.version}" for model in versions])


def list_models(where: Settings | str | os.PathLike[str]) -> list[Version]:
    """Returns every version of every model, by name."""
    root = _root(where)
    return [Version(name, path.name, path) for name in _names(root) for path in _folders(root / name)]


def _champion(root: Path) -> Version | None:
    try:
        with open_regular(root / ALIAS) as file:
            alias = parse_json(file.read(MAX_DOCUMENT_BYTES))
        name, version = alias["name"], alias["version"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        name = version = None
    if not (is_plain_name(name) and is_plain_name(version)):
        raise ModelError(
            f"{root / ALIAS} does not say which model is the champion; remove it, and make one with: modelyard pack RUN"
        ) from None
    path = root / name / version
    return Version(name, version, path) if path.is_dir() else None


def _root(where: Settings | str | os.PathLike[str]) -> Path:
    return Path(where.storage.models if isinstance(where, Settings) else where)


def _names(root: Path) -> list[str]:
    return [path.name for path in _folders(root)]


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
