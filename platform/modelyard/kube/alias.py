"""Aliases: tags that move from version to version."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelyard.errors import ImageError, UsageError
from modelyard.kube.composition import MODEL_ANNOTATION, VERSION_ANNOTATION
from modelyard.kube.oci import Manifest
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository

__all__ = ["CHAMPION", "Promoted", "Version", "check_alias", "move", "promote"]

CHAMPION = "champion"
VERSION_TAG = re.compile(r"[0-9a-f]{12}-[0-9a-f]{12}")


def check_alias(image: Reference) -> None:
    """Refuses a tag that a version may have.

    Raises:
        UsageError: It looks like one.
    """
    if VERSION_TAG.fullmatch(image.tag or ""):
        raise UsageError(f"{image} is a version, and versions never move; write {image.host}/{image.name} or an alias")


@dataclass(frozen=True)
class Version:
    """An image of a model.

    Attributes:
        digest: Of the image.
        model: The model's version; none where the image is not ours.
    """

    digest: str
    model: str | None

    @classmethod
    def of(cls, manifest: Manifest) -> Version:
        """Returns which version an image is."""
        return cls(manifest.digest, manifest.annotations.get(VERSION_ANNOTATION))


@dataclass(frozen=True)
class Promoted:
    """What an alias names now.

    Attributes:
        alias: The alias, as a reference.
        image: What it names, by its digest.
        version: What it names.
        replaced: What it named before; none: nothing, or the same.
    """

    alias: Reference
    image: Reference
    version: Version
    replaced: Version | None


def promote(image: Reference, *, insecure: bool = False) -> Promoted:
    """Makes an image the champion of its repository.

    Args:
        image: Which, by tag or digest.
        insecure: Whether plain HTTP will do where the registry does not speak TLS.

    Raises:
        UsageError: The reference has neither tag nor digest.
        ImageError: There is no such image, or there is no model in it.
        RegistryError: The registry does not answer, or refuses.
    """
    wanted = image.version
    with Repository(image, "pull,push", insecure=insecure) as target:
        manifest = target.manifest(wanted)
        if manifest is None:
            raise ImageError(str(image), "is not there", "push it first: modelyard image BENTO --to REGISTRY/NAME")
        if MODEL_ANNOTATION not in manifest.annotations:
            problem = f"names no model (it has no annotation {MODEL_ANNOTATION})"
            raise ImageError(str(image), problem, "only what `modelyard image` pushed can be promoted")
        replaced = move(target, CHAMPION, manifest)
        return Promoted(image.tagged(CHAMPION), image.at(manifest.digest), Version.of(manifest), replaced)


def move(target: Repository, alias: str, manifest: Manifest) -> Version | None:
    """Lets an alias name an image that is in the repository.

    Returns:
        What it named before; none: nothing, or the same.

    Raises:
        RegistryError: The registry does not answer, or refuses.
    """
    before = target.manifest(alias)
    if before is not None and before.digest == manifest.digest:
        return None
    target.put_manifest(manifest, alias)
    return None if before is None else Version.of(before)
