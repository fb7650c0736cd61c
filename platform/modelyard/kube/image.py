"""A bento to an image in a registry, without Docker."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelyard.errors import ImageError, UsageError
from modelyard.kube.alias import Version, check_alias, move
from modelyard.kube.bento import Bento
from modelyard.kube.composition import Variant, describe, lay, make_index
from modelyard.kube.layer import Layer, make_layer
from modelyard.kube.oci import CONFIGS, Manifest, sha256
from modelyard.kube.packages import check_packages
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository, Traffic
from modelyard.models.card import Card

__all__ = ["Pushed", "flavour_for", "push_image"]

OTHER_BASE = "name another with --base, or build one from the project's Dockerfile and push it"
SHOWN = 12
CHUNK = 1 << 20


@dataclass(frozen=True)
class Pushed:
    """An image in a registry.

    Attributes:
        image: By its digest.
        version: By the tag of its version, which never moves.
        base: The base image, by its digest.
        platforms: What it runs on.
        replaced: What the alias that was asked for named before; none: nothing, or the same.
        traffic: What was sent.
        seconds: How long it took.
    """

    image: Reference
    version: Reference
    base: Reference
    platforms: tuple[str, ...]
    replaced: Version | None
    traffic: Traffic
    seconds: float


def flavour_for(card: Card) -> Literal["serving", "serving-sklearn"]:
    """Returns which target of the Dockerfile can serve a model."""
    return "serving" if card.served == "compiled" else "serving-sklearn"


def push_image(bento: Bento, to: Reference, base: Reference, *, insecure: bool = False) -> Pushed:
    """Lays a bento as one layer on a base image and pushes the result, for every platform of the base.

    The same bento on the same base has the same digest; what the registry has is not sent again.

    Args:
        bento: What to lay on it.
        to: The repository to push to; a tag in it is an alias that moves to the image.
        base: The image to lay it on.
        insecure: Whether plain HTTP will do where a registry does not speak TLS.

    Raises:
        UsageError: The destination is a version, or the base has neither tag nor digest.
        ImageError: The base is not there, is no image, or lacks a package that the bento needs; or the
            version's tag names another image.
        RegistryError: A registry does not answer, or refuses.
    """
    start = time.perf_counter()
    if to.digest:
        raise UsageError(f"{to} is one image for ever; write --to {to.host}/{to.name}")
    check_alias(to)
    together = base.host == to.host
    with (
        tempfile.TemporaryDirectory(prefix="modelyard-") as scratch,
        Repository(base, insecure=insecure) as source,
        Repository(to, "pull,push", sources=[base.name] if together else (), insecure=insecure) as target,
    ):
        below, parts = _read_base(source, base)
        annotations = describe(bento)
        for _, config in parts:
            labels = json.loads(config).get("config", {}).get("Labels") or {}
            check_packages(str(base), labels, bento.tag, bento.requirements)
        layer = make_layer(bento.folder, Path(scratch) / "layer.tar.gz")
        variants = [lay(manifest, config, layer, annotations) for manifest, config in parts]
        top = make_index(below, variants, annotations) if below.is_index else variants[0].manifest
        version = to.tagged(f"{bento.manifest.version}-{top.digest.partition(':')[2][:SHOWN]}")
        if _is_new(target, version, top):
            _send(source, target, layer, variants, together)
            for variant in variants if below.is_index else ():
                target.put_manifest(variant.manifest, variant.manifest.digest)
            target.put_manifest(top, version.version)
        replaced = move(target, to.tag, top) if to.tag else None
        platforms = tuple(variant.platform for variant in variants)
        seconds = time.perf_counter() - start
        return Pushed(to.at(top.digest), version, base.at(below.digest), platforms, replaced, target.traffic, seconds)


def _read_base(source: Repository, base: Reference) -> tuple[Manifest, list[tuple[Manifest, bytes]]]:
    """Returns what the base's name stands for, and manifest and configuration of each of its platforms."""
    below = _read_manifest(source, base, base.version)
    listed = [_read_manifest(source, base, entry["digest"]) for entry in below.images] if below.is_index else [below]
    configs = [manifest.document.get("config", {}) for manifest in listed]
    if not configs or any(config.get("mediaType") not in CONFIGS for config in configs):
        raise ImageError(str(base), f"is no container image ({below.media_type})", OTHER_BASE)
    return below, [
        (manifest, source.read_blob(config["digest"])) for manifest, config in zip(listed, configs, strict=True)
    ]


def _read_manifest(source: Repository, base: Reference, version: str) -> Manifest:
    manifest = source.manifest(version)
    if manifest is None:
        raise ImageError(str(base), "is not in its registry", OTHER_BASE)
    return manifest


def _is_new(target: Repository, version: Reference, top: Manifest) -> bool:
    """Whether the version is not there yet."""
    there = target.manifest(version.version)
    if there is not None and there.digest != top.digest:
        hint = "a version never moves: find out who moved it, and delete the tag"
        raise ImageError(str(version), f"names {there.digest} and not {top.digest}", hint)
    return there is None


def _send(source: Repository, target: Repository, layer: Layer, variants: Sequence[Variant], together: bool) -> None:
    """Brings every blob to the target, each once."""
    from_base = {each["digest"]: each for variant in variants for each in variant.base_layers}
    for digest, each in from_base.items():
        if target.has_blob(digest) or (together and target.mount(digest, source.name)):
            continue
        with source.open_blob(digest) as chunks:
            target.upload(digest, each["size"], chunks)
    if not target.has_blob(layer.digest):
        with layer.path.open("rb") as file:
            target.upload(layer.digest, layer.size, iter(lambda: file.read(CHUNK), b""))
    for config in dict.fromkeys(variant.config for variant in variants):
        if not target.has_blob(digest := sha256(config)):
            target.upload(digest, len(config), [config])
