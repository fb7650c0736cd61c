"""Base images for tests: what a Dockerfile would make, without its files."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

from modelyard.kube.oci import CONFIG, INDEX, LAYER, MANIFEST, Manifest, canonical, descriptor, sha256
from modelyard.kube.packages import PACKAGES_LABEL
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository

__all__ = ["push_base"]

DOCKER = "application/vnd.docker"


def push_base(
    image: Reference,
    *,
    packages: str | None,
    platforms: Sequence[str] = ("amd64",),
    docker: bool = False,
    index: bool = False,
) -> Reference:
    """Pushes a base image.

    Args:
        image: Under which tag.
        packages: The label that says what is installed; none: no label.
        platforms: The architectures that it is for.
        docker: Whether with the media types of `docker push`.
        index: Whether with an index, which several platforms have anyway.
    """
    with Repository(image, "pull,push", insecure=True) as repository:
        manifests = [_push_one(repository, platform, packages, docker) for platform in platforms]
        top = manifests[0]
        if index or len(platforms) > 1:
            entries: list[dict[str, Any]] = []
            for platform, manifest in zip(platforms, manifests, strict=True):
                repository.put_manifest(manifest, manifest.digest)
                where = {"os": "linux", "architecture": platform}
                entries.append(descriptor(manifest.media_type, manifest.content, platform=where))
            # as BuildKit leaves it beside its images
            attestation = {**entries[0], "platform": {"os": "unknown", "architecture": "unknown"}}
            top = Manifest.make(INDEX, {}, manifests=[*entries, attestation])
        repository.put_manifest(top, image.version)
    return image


def _push_one(repository: Repository, platform: str, packages: str | None, docker: bool) -> Manifest:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        content = f"of {platform}\n".encode()
        entry = tarfile.TarInfo("etc/platform")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    layer = gzip.compress(plain.getvalue(), mtime=0)
    labels = {} if packages is None else {"Labels": {PACKAGES_LABEL: packages}}
    config = canonical(
        {
            "os": "linux",
            "architecture": platform,
            "config": {"User": "10001", "Cmd": ["serve"], **labels},
            "rootfs": {"type": "layers", "diff_ids": [sha256(plain.getvalue())]},
            "history": [{"created_by": "FROM"}],
        }
    )
    for blob in (layer, config):
        if not repository.has_blob(sha256(blob)):
            repository.upload(sha256(blob), len(blob), [blob])
    kinds = (
        (
            f"{DOCKER}.distribution.manifest.v2+json",
            f"{DOCKER}.container.image.v1+json",
            f"{DOCKER}.image.rootfs.diff.tar.gzip",
        )
        if docker
        else (MANIFEST, CONFIG, LAYER)
    )
    document = {
        "schemaVersion": 2,
        "mediaType": kinds[0],
        "config": descriptor(kinds[1], config),
        "layers": [descriptor(kinds[2], layer)],
    }
    return Manifest(kinds[0], json.dumps(document, indent=3).encode())
