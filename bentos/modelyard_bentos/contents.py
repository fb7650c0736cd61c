"""What a bento carries: the model, the settings, our own packages and pinned requirements.

In a bento's ``src`` folder:

modelyard/, modelyard_bentos/    the packages that built it
model/                           the model's folder
modelyard.json                   the settings
MODULE                           the top-level module or package of each router in `api.routers`
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from importlib.machinery import PathFinder
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import ValidationError

import modelyard
from modelyard.config.models import ServingSettings, Settings
from modelyard.errors import ConfigError
from modelyard.models.manifest import copy_model, read_manifest

__all__ = [
    "MODEL",
    "SERVICE",
    "SERVING_VARIABLE",
    "SETTINGS",
    "SETTINGS_VARIABLE",
    "SOURCE",
    "carry",
    "content_digest",
    "requirements",
    "served_settings",
    "with_serving",
]

SOURCE, MODEL, SETTINGS = "src", "model", "modelyard.json"
SERVICE = "modelyard_bentos.service:service"
# its value is what `served_settings` returns
SETTINGS_VARIABLE = "MODELYARD_SETTINGS"
SERVING_VARIABLE = "MODELYARD_SERVING"
PACKAGES = ("modelyard", "modelyard_bentos")
GRAPH = "model.onnx"
# a service deploys nothing
CHARTS = Path(modelyard.__file__).parent / "charts"


def carry(target: Path, model_folder: Path, settings: Settings) -> None:
    """Copies everything that the service needs into a bento's source folder."""
    for source in _sources(settings):
        if source.is_dir():
            shutil.copytree(source, target / source.name, ignore=_left_out)
        else:
            shutil.copyfile(source, target / source.name)
    copy_model(model_folder, target / MODEL)
    (target / SETTINGS).write_text(served_settings(settings))


def served_settings(settings: Settings) -> str:
    """Returns the settings that a service goes by as JSON; the others may hold what is nobody's business."""
    document = {
        "serving": settings.serving.model_dump(mode="json"),
        "api": settings.api.model_dump(mode="json", include={"workers", "routers"}),
        "model": settings.model.model_dump(mode="json", include={"serve_original"}),
    }
    return json.dumps(document, indent=2) + "\n"


def with_serving(settings: Settings, given: str | None) -> Settings:
    """Returns settings with some of their `serving` group replaced.

    Args:
        settings: What a service goes by.
        given: A JSON object of `serving` settings, the value of MODELYARD_SERVING; none: nothing is replaced.

    Raises:
        ConfigError: It is no JSON object, or has a key or value that `serving` does not take.
    """
    if not given:
        return settings
    try:
        found = ServingSettings.model_validate_json(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["serving", *(str(part) for part in first["loc"])])
        raise ConfigError(key, first["msg"], SERVING_VARIABLE, "see conf/README.md for what it takes") from None
    changes = {name: getattr(found, name) for name in found.model_fields_set}
    return settings.model_copy(update={"serving": settings.serving.model_copy(update=changes)})


def content_digest(model_folder: Path, settings: Settings) -> str:
    """Returns the SHA-256 (hex) of everything that a bento of this model would carry."""
    digest = hashlib.sha256(read_manifest(model_folder).digest.encode())
    digest.update(served_settings(settings).encode())
    digest.update("\n".join(requirements(model_folder, settings)).encode())
    for source in _sources(settings):
        for path in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if path.is_file() and "__pycache__" not in path.parts and CHARTS not in path.parents:
                digest.update(path.relative_to(source.parent).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _left_out(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or Path(folder, name) == CHARTS]


def _sources(settings: Settings) -> list[Path]:
    """The folders of packages, and files of modules, that a bento carries."""
    specs = {package: find_spec(package) for package in PACKAGES}
    for router in settings.api.routers:
        module = router.partition(":")[0].partition(".")[0]
        # the project's folder comes first, as it does for a server that is started there
        specs.setdefault(module, PathFinder.find_spec(module, [str(Path.cwd()), *sys.path]))
    found = []
    for module, spec in specs.items():
        if spec is None or spec.origin is None:
            raise ConfigError("api.routers", f"there is no module {module!r} in this folder or installed")
        origin = Path(spec.origin)
        found.append(origin.parent if origin.name == "__init__.py" else origin)
    return found


def requirements(model_folder: Path, settings: Settings) -> list[str]:
    """Returns every package that serving the model by these settings needs, transitively, pinned to what is installed.

    BentoML pins itself, so it is left out; what it needs is not.
    """
    extras = ["serving"] if GRAPH in read_manifest(model_folder).files else ["serving", "train"]
    if settings.serving.prediction_log.url is not None:
        extras.append("log")
    pinned: dict[str, str] = {}
    waiting = [Requirement(f"modelyard[{','.join(extras)}]")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name, wanted_extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, wanted_extras) in seen:
            continue
        seen.add((name, wanted_extras))
        installed = distribution(name)
        pinned[name] = installed.version
        for text in installed.requires or ():
            requirement = Requirement(text)
            if any(
                requirement.marker is None or requirement.marker.evaluate({"extra": extra})
                for extra in ("", *wanted_extras)
            ):
                waiting.append(requirement)
    return sorted(f"{name}=={version}" for name, version in pinned.items() if name not in ("modelyard", "bentoml"))
