"""Packs a model into a bento."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelyard.api.source import MODEL_VARIABLE
from modelyard.config.models import Settings
from modelyard.errors import ModelNotFound, ServiceError
from modelyard.models.artifact import read_card
from modelyard.models.manifest import read_manifest
from modelyard.utils.documents import parse_yaml_document
from modelyard.utils.names import is_plain_name
from modelyard_bentos.contents import MODEL, SERVICE, SETTINGS_VARIABLE, SOURCE, content_digest, served_settings
from modelyard_bentos.processes import bentoml_command, last_line, quiet_environment

__all__ = ["Packed", "find_bento", "model_in", "pack"]

CONTENT = "modelyard.content"
LATEST = "latest"
BUILD_DEADLINE_S = 300


@dataclass(frozen=True)
class Packed:
    """A bento in BentoML's store.

    Attributes:
        tag: NAME:VERSION; the same model has the same tag.
        path: Its folder.
        seconds: How long packing took; next to nothing where it was there already.
    """

    tag: str
    path: Path
    seconds: float

    @property
    def model(self) -> Path:
        """The model's folder inside it."""
        return model_in(self.path)


def find_bento(tag: str) -> Path:
    """Returns the folder of a bento in BentoML's store.

    Args:
        tag: NAME:VERSION; the version may be ``latest``.

    Raises:
        ModelNotFound: There is no such bento; names the nearest.
    """
    name, _, version = tag.partition(":")
    store = _home() / "bentos"
    if version == LATEST and is_plain_name(name) and (store / name / LATEST).is_file():
        version = (store / name / LATEST).read_text().strip()
    folder = store / name / version
    if not (is_plain_name(name) and is_plain_name(version) and model_in(folder).is_dir()):
        raise ModelNotFound(tag, [f"{path.parent.name}:{path.name}" for path in store.glob("*/*") if path.is_dir()])
    return folder


def pack(model_folder: str | os.PathLike[str], settings: Settings) -> Packed:
    """Builds a bento that carries the model, the settings and our packages, and saves it in BentoML's store.

    The bento's name and version are the model's. One that is there already and has the same content is taken
    as it is; several processes may pack at the same time.

    Args:
        model_folder: The model's folder.
        settings: What the service goes by: rows a request, workers, routers, labels.

    Raises:
        ModelError: The folder is no model or was damaged.
        ConfigError: A router of `api.routers` cannot be found.
        ServiceError: BentoML could not build it.
    """
    start = time.perf_counter()
    folder = Path(model_folder).absolute()
    name, version = read_card(folder).model, read_manifest(folder).version
    content = content_digest(folder, settings)
    target = _home() / "bentos" / name / version
    with _only_one():
        if _content_of(target) != content:
            _build(folder, settings, target, content)
    return Packed(f"{name}:{version}", target, time.perf_counter() - start)


def model_in(bento: Path) -> Path:
    """Returns the model's folder in a bento's."""
    return bento / SOURCE / MODEL


def _home() -> Path:
    """Returns the folder of BentoML's store: the environment variable BENTOML_HOME, or ~/bentoml."""
    return Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml").expanduser().absolute()


@contextmanager
def _only_one() -> Iterator[None]:
    """Lets one process of this machine pack at a time: BentoML's store raises where two save the same tag."""
    _home().mkdir(parents=True, exist_ok=True)
    with (_home() / ".modelyard.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _content_of(bento: Path) -> str | None:
    """Returns the digest of what a bento carries; None where there is none or it cannot be read."""
    try:
        document = parse_yaml_document((bento / "bento.yaml").read_bytes())
        return str(document["labels"][CONTENT])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build(folder: Path, settings: Settings, target: Path, content: str) -> None:
    """Builds in a store of its own and moves the bento to its place, so that it is there whole or not at all."""
    name, version = target.parent.name, target.name
    scratch = _home() / "tmp"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="modelyard-", dir=scratch) as work:
        context, store = Path(work) / "context", Path(work) / "store"
        context.mkdir()
        build = {"service": SERVICE, "name": name, "labels": {CONTENT: content}, "include": []}
        (context / "bentofile.yaml").write_text(json.dumps(build))
        environment = quiet_environment() | {
            "BENTOML_HOME": str(store),
            MODEL_VARIABLE: str(folder),
            SETTINGS_VARIABLE: served_settings(settings),
        }
        if settings.api.routers:  # they may lie in the project's folder
            paths = [str(Path.cwd()), os.environ.get("PYTHONPATH")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        command = bentoml_command("build", "--version", version)
        built = subprocess.run(
            command, cwd=context, env=environment, capture_output=True, text=True, timeout=BUILD_DEADLINE_S, check=False
        )
        made = store / "bentos" / name / version
        if built.returncode or not made.is_dir():
            raise ServiceError(f"no bento could be built of {folder}: {last_line(built.stdout + built.stderr)}")
        if target.exists():
            target.rename(Path(work) / "replaced")
        target.parent.mkdir(parents=True, exist_ok=True)
        made.rename(target)
        latest = Path(work) / LATEST
        latest.write_text(version)
        latest.replace(target.parent / LATEST)
