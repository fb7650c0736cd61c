"""What a release should be: which image, how large, and the chart's values that say so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.config.models import ClusterSettings
from modelyard.errors import ConfigError, ImageError, ModelError, UsageError
from modelyard.kube.capacity import Size, size_for, values_of
from modelyard.kube.composition import CAPACITY_ANNOTATION, VERSION_ANNOTATION
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository
from modelyard.models.capacity import Capacity

__all__ = ["Plan", "Version", "find_version", "image_in", "name_of", "plan", "target_in"]

# what a Service can be called, and the chart adds -canary
NAME = re.compile(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?")


@dataclass(frozen=True)
class Version:
    """An image that can be deployed.

    Attributes:
        image: By its digest.
        model: The model's version; none where the image does not say.
        capacity: What a service of it can take; none where it was not measured.
    """

    image: Reference
    model: str | None
    capacity: Capacity | None


@dataclass(frozen=True)
class Plan:
    """What a release should be.

    Attributes:
        release: Its name.
        version: What it runs.
        size: How large it is; none: as the chart has it.
        values: Of the chart.
    """

    release: str
    version: Version
    size: Size | None
    values: Mapping[str, Any]

    @property
    def description(self) -> str:
        """What the history says of it."""
        load = f" for {self.size.target_rps:g} requests/s" if self.size and self.size.target_rps else ""
        return f"model {self.version.model or 'unknown'}{load}"


def find_version(image: Reference, *, insecure: bool = False) -> Version:
    """Returns what a reference to an image stands for now.

    Args:
        image: By tag or digest.
        insecure: Whether plain HTTP will do where the registry does not speak TLS.

    Raises:
        UsageError: The reference has neither tag nor digest.
        ImageError: There is no such image, or it says of its capacity what cannot be read.
        RegistryError: The registry does not answer, or refuses.
    """
    wanted = image.version
    with Repository(image, insecure=insecure) as source:
        manifest = source.manifest(wanted)
    if manifest is None:
        raise ImageError(str(image), "is not there", "push it first: modelyard image BENTO --to REGISTRY/NAME")
    said = manifest.annotations.get(CAPACITY_ANNOTATION)
    try:
        capacity = Capacity.from_json(said) if said else None
    except ModelError as error:
        raise ImageError(str(image), f"{CAPACITY_ANNOTATION}: {error}", "push it again by this modelyard") from None
    return Version(image.at(manifest.digest), manifest.annotations.get(VERSION_ANNOTATION), capacity)


def name_of(image: Reference, settings: ClusterSettings) -> str:
    """Returns the name of the release of an image.

    Raises:
        ConfigError: No Service can have it.
    """
    name = settings.release or re.sub(r"[^a-z0-9]+", "-", image.name.rpartition("/")[2])
    if not NAME.fullmatch(name):
        problem = f"{name!r} can be no Service's name, which has up to 53 small letters, digits and hyphens"
        raise ConfigError("cluster.release", problem, hint="give another name, a letter first")
    return name


def plan(version: Version, settings: ClusterSettings, target_rps: float | None) -> Plan:
    """Says what a release of a version should be.

    Args:
        version: What to run.
        settings: Of the cluster.
        target_rps: Requests of one row a second that it must take; none: a usual size.

    Raises:
        ConfigError: The release cannot have this name, or no size reaches `cluster.p99_ms`.
        UsageError: There is a load, but the capacity was never measured.
    """
    values: dict[str, Any] = {
        "image": {"repository": f"{version.image.host}/{version.image.name}", "digest": version.image.digest}
    }
    size = None
    if version.capacity is not None:
        size = size_for(version.capacity, settings.p99_ms, target_rps)
        values |= values_of(size)
    elif target_rps is not None:
        raise UsageError(
            f"how many pods take {target_rps:g} requests/s is not known, because {version.image} does not say its "
            "capacity; measure it by `modelyard verify BENTO --measure` and push it again"
        )
    if target_rps is not None:
        values["global"] = {"modelyard": {"targetRps": target_rps}}
    return Plan(name_of(version.image, settings), version, size, values)


def target_in(values: Mapping[str, Any]) -> float | None:
    """Returns the load that a release was sized for, from its values."""
    target: float | None = values.get("global", {}).get("modelyard", {}).get("targetRps")
    return target


def image_in(values: Mapping[str, Any]) -> str | None:
    """Returns the image of a release, by its digest or tag, from its values."""
    image = values.get("image", {})
    if digest := image.get("digest"):
        return f"{image.get('repository')}@{digest}"
    return f"{image.get('repository')}:{image['tag']}" if image.get("tag") else None
