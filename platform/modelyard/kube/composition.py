"""An image of a base image and one layer on it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.kube.layer import Layer
from modelyard.kube.oci import CONFIG, INDEX, LAYER, MANIFEST, OCI_LAYERS, Manifest, canonical, descriptor

if TYPE_CHECKING:  # it needs what models need, which who deploys an image does without
    from modelyard.kube.bento import Bento

__all__ = [
    "BASE_ANNOTATION",
    "CAPACITY_ANNOTATION",
    "MODEL_ANNOTATION",
    "VERSION_ANNOTATION",
    "Variant",
    "describe",
    "lay",
    "make_index",
]

OCI, OURS = "org.opencontainers.image", "io.modelyard"
BASE_ANNOTATION = f"{OCI}.base.digest"
VERSION_ANNOTATION = f"{OCI}.version"
MODEL_ANNOTATION = f"{OURS}.model.digest"
CAPACITY_ANNOTATION = f"{OURS}.capacity"
MAKER = "modelyard image"


@dataclass(frozen=True)
class Variant:
    """The image of one platform.

    Attributes:
        manifest: Names the image.
        config: The content of its configuration.
        base_layers: Descriptors of the layers that it takes from the base.
    """

    manifest: Manifest
    config: bytes
    base_layers: tuple[dict[str, Any], ...]

    @property
    def platform(self) -> str:
        """What it runs on, such as ``linux/amd64``."""
        config = json.loads(self.config)
        return "/".join(config[part] for part in ("os", "architecture", "variant") if config.get(part))


def describe(bento: Bento) -> dict[str, str]:
    """Returns what an image says of the model in it: which it is, and what it was made from.

    The model's own digest is the version's identity: the same model on another base is another image.
    """
    card, model = bento.card, bento.manifest
    known = {
        f"{OCI}.title": card.model,
        VERSION_ANNOTATION: model.version,
        f"{OCI}.created": card.created_at,
        f"{OCI}.revision": card.git_revision,
        MODEL_ANNOTATION: f"sha256:{model.digest}",
        f"{OURS}.contract.digest": f"sha256:{card.contract}",
        f"{OURS}.data.digest": card.source_digest and f"sha256:{card.source_digest}",
        f"{OURS}.config.digest": card.config_digest and f"sha256:{card.config_digest}",
        f"{OURS}.run": card.run,
        f"{OURS}.bento": bento.tag,
        CAPACITY_ANNOTATION: card.capacity and card.capacity.model_dump_json(),
    }
    return {name: value for name, value in known.items() if value}


def lay(below: Manifest, config: bytes, layer: Layer, annotations: Mapping[str, str]) -> Variant:
    """Lays a layer on the base image of one platform.

    Args:
        below: The manifest of the base.
        config: The content of the base's configuration.
        layer: What comes on it.
        annotations: What the new image says of itself.
    """
    document = json.loads(config)
    created = {"created": made} if (made := annotations.get(f"{OCI}.created")) else {}
    step = {"created_by": MAKER, "comment": annotations[f"{OURS}.bento"], **created}
    document |= created
    document["history"] = [*document.get("history", ()), step]
    document["rootfs"]["diff_ids"] = [*document["rootfs"]["diff_ids"], layer.diff_id]
    # Docker's types stand for the same content, but nothing that is annotated
    below_layers = tuple(
        {**each, "mediaType": OCI_LAYERS.get(each["mediaType"], each["mediaType"])} for each in below.document["layers"]
    )
    content = canonical(document)
    manifest = Manifest.make(
        MANIFEST,
        {**annotations, BASE_ANNOTATION: below.digest},
        config=descriptor(CONFIG, content),
        layers=[*below_layers, {"mediaType": LAYER, "digest": layer.digest, "size": layer.size}],
    )
    return Variant(manifest, content, below_layers)


def make_index(below: Manifest, variants: Sequence[Variant], annotations: Mapping[str, str]) -> Manifest:
    """Lists the images of every platform, as the base's index does."""
    entries = [
        descriptor(
            MANIFEST, variant.manifest.content, **({"platform": entry["platform"]} if "platform" in entry else {})
        )
        for entry, variant in zip(below.images, variants, strict=True)
    ]
    return Manifest.make(INDEX, {**annotations, BASE_ANNOTATION: below.digest}, manifests=entries)
