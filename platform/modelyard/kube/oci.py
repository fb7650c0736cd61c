"""The documents that an image is made of, as OCI's image specification has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

__all__ = [
    "CONFIG",
    "CONFIGS",
    "INDEX",
    "INDEXES",
    "LAYER",
    "MANIFEST",
    "MANIFESTS",
    "OCI_LAYERS",
    "Manifest",
    "canonical",
    "descriptor",
    "sha256",
]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# Docker's own types of the same documents: what `docker push` leaves in a registry
DOCKER = "application/vnd.docker"
INDEXES = (INDEX, f"{DOCKER}.distribution.manifest.list.v2+json")
MANIFESTS = (MANIFEST, f"{DOCKER}.distribution.manifest.v2+json")
CONFIGS = (CONFIG, f"{DOCKER}.container.image.v1+json")
OCI_LAYERS = {
    f"{DOCKER}.image.rootfs.diff.tar.gzip": LAYER,
    f"{DOCKER}.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
}


def sha256(content: bytes) -> str:
    """Returns a digest as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def canonical(document: Mapping[str, Any]) -> bytes:
    """Returns a document as JSON; the same document is always the same bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def descriptor(media_type: str, content: bytes, **more: Any) -> dict[str, Any]:
    """Returns what another document says of some content."""
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content), **more}


@dataclass(frozen=True)
class Manifest:
    """A manifest of an image, or an index of manifests.

    Attributes:
        media_type: Which of the two, and whose.
        content: To the byte: they make the digest.
    """

    media_type: str
    content: bytes

    @classmethod
    def make(cls, media_type: str, annotations: Mapping[str, str], **parts: Any) -> Manifest:
        """Makes a manifest or an index of its parts."""
        document = {"schemaVersion": 2, "mediaType": media_type, "annotations": dict(annotations), **parts}
        return cls(media_type, canonical(document))

    @cached_property
    def digest(self) -> str:
        """Names the manifest and, through it, everything that belongs to it."""
        return sha256(self.content)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The manifest's fields."""
        document: dict[str, Any] = json.loads(self.content)
        return document

    @property
    def annotations(self) -> dict[str, str]:
        """What it says of itself."""
        return self.document.get("annotations") or {}

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests of several platforms."""
        return self.media_type in INDEXES

    @property
    def images(self) -> Iterable[dict[str, Any]]:
        """An index's descriptors of images; attestations and the like stand beside them and are left out."""
        for entry in self.document.get("manifests", ()):
            if entry["mediaType"] in MANIFESTS and (entry.get("platform") or {}).get("os") != "unknown":
                yield entry
