"""What a bento says of itself, after its model was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from modelyard.errors import ImageError
from modelyard.models.artifact import read_card, verify
from modelyard.models.card import Card
from modelyard.models.manifest import Manifest, read_manifest
from modelyard.utils.documents import parse_yaml_document
from modelyard.utils.names import is_plain_name
from modelyard.utils.sentences import first_line

__all__ = ["Bento", "read_bento"]

MODEL = Path("src", "model")
PARTS = (Path("src", "modelyard.json"), Path("src", "modelyard_bentos", "service.py"))
REQUIREMENTS = Path("env", "python", "requirements.txt")
AGAIN = "pack the model again: modelyard pack RUN"


@dataclass(frozen=True)
class Bento:
    """A bento that is fit for an image.

    Attributes:
        folder: Where it is.
        tag: NAME:VERSION.
        card: The card of its model.
        manifest: The manifest of its model.
        requirements: The packages that it needs, pinned.
    """

    folder: Path
    tag: str
    card: Card
    manifest: Manifest
    requirements: tuple[Requirement, ...]


def read_bento(folder: Path) -> Bento:
    """Reads a bento and checks every digest of its model.

    Raises:
        ImageError: It is no bento, or a part of it is missing or cannot be read.
        ArtifactDamaged: A file of its model is missing or differs from the manifest.
    """
    try:
        document = parse_yaml_document((folder / "bento.yaml").read_bytes())
        name, version = document["name"], document["version"]
        lines = (folder / REQUIREMENTS).read_text(encoding="utf-8").splitlines()
        requirements = tuple(Requirement(line) for line in lines if line.strip() and line[0] not in "#-")
    except OSError as error:
        raise ImageError(str(folder), f"is no whole bento, {Path(error.filename).name} is missing", AGAIN) from None
    except (InvalidRequirement, UnicodeDecodeError) as error:
        raise ImageError(str(folder), f"{REQUIREMENTS} cannot be read ({first_line(error)})", AGAIN) from None
    except (ValueError, KeyError, TypeError):
        name = version = None
    if not (is_plain_name(name) and is_plain_name(version)):
        raise ImageError(str(folder), "bento.yaml does not say which bento it is", AGAIN)
    for part in PARTS:
        if not (folder / part).is_file():
            raise ImageError(str(folder), f"is no whole bento of modelyard, {part} is missing", AGAIN)
    verify(folder / MODEL, deep=False)
    return Bento(folder, f"{name}:{version}", read_card(folder / MODEL), read_manifest(folder / MODEL), requirements)
