"""Releases of the serving chart: what they run, and how they come, go back and go."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.config.models import ClusterSettings
from modelyard.errors import (
    ConfigError,
    ImageError,
    ModelError,
    ReleaseFailed,
    ReleaseNotFound,
    UsageError,
)
from modelyard.kube.capacity import Size, size_for, values_of
from modelyard.kube.charts import Chart
from modelyard.kube.cluster import Cluster, Right
from modelyard.kube.composition import CAPACITY_ANNOTATION, VERSION_ANNOTATION
from modelyard.kube.convergence import Convergence
from modelyard.kube.helm import Helm, Revision
from modelyard.kube.reference import Reference
from modelyard.kube.repository import Repository
from modelyard.models.capacity import Capacity

__all__ = [
    "CHART",
    "RIGHTS",
    "Plan",
    "Release",
    "Version",
    "find_version",
    "image_in",
    "name_of",
    "plan",
    "target_in",
]

CHART: Chart = "modelyard-serving"
# what a Service can be called, and the chart adds -canary
NAME = re.compile(r"[a-z]([-a-z0-9]{0,51}[a-z0-9])?")
MADE = (
    ("secrets", ""),
    ("serviceaccounts", ""),
    ("services", ""),
    ("deployments", "apps"),
    ("horizontalpodautoscalers", "autoscaling"),
    ("poddisruptionbudgets", "policy"),
    ("networkpolicies", "networking.k8s.io"),
)
# all of them before anything is made: where one is missing in the middle, Helm cannot even take back what it made
VERBS = ("get", "list", "watch", "create", "patch", "delete")
RIGHTS = (
    *(Right(verb, resource, group) for resource, group in MADE for verb in VERBS),
    *(Right(verb, *resource) for resource in (("pods",), ("replicasets", "apps")) for verb in ("list", "watch")),
)


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
            "capacity; measure it by `modelyard verify BENTO` and push it again"
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


class Release:
    """A release in a cluster, which may not be there yet.

    Args:
        name: Its name.
        cluster: Its namespace.
        helm: The namespace's releases.
        tell: Is told what keeps the release from being ready, whenever that changes.
    """

    def __init__(self, name: str, cluster: Cluster, helm: Helm, tell: Callable[[str], None]) -> None:
        self.name, self._cluster, self._helm, self._tell = name, cluster, helm, tell

    def image(self) -> str | None:
        """Returns what it runs, or was to run.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        return image_in(self._helm.values(self.name))

    def target_rps(self) -> float | None:
        """Returns the load that it is sized for; none: it is not there, or nobody said."""
        try:
            return target_in(self._helm.values(self.name))
        except ReleaseNotFound:
            return None

    def deploy(self, wanted: Plan, values_file: str | None) -> Revision:
        """Installs or upgrades it, and waits until its pods are ready; otherwise it stays what it was.

        Args:
            wanted: What it should be.
            values_file: Values that go before the plan's.

        Returns:
            The new revision.

        Raises:
            ValuesRefused: The chart refuses a value.
            NoRight: The user may not change something that belongs to it.
            ReleaseBusy: Another change is not finished.
            ImageNotPulled: A node cannot get the image.
            QuotaReached: The namespace has no room for its pods.
            ReleaseFailed: Its pods do not run.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        watch = Convergence(self._cluster, self.name, wanted.version.image.digest, self._tell)
        try:
            self._helm.upgrade(
                self.name, CHART, wanted.values, values_file, description=wanted.description, watch=watch
            )
        except ReleaseFailed as error:
            raise watch.explained(error) from None
        return self._helm.history(self.name)[-1]

    def rollback(self) -> tuple[Revision, Revision]:
        """Goes back to the last revision that ran before what is there now, and waits until its pods are ready.

        A revision that is itself a rollback counts as the one that it repeats: going back twice goes back further.

        Returns:
            The new revision, and the one that it repeats.

        Raises:
            ReleaseNotFound: There is no such release.
            ReleaseFailed: There is no such revision, or its pods do not run.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        target = previous(self.name, self._helm.history(self.name))
        digest = self._helm.values(self.name, target.number).get("image", {}).get("digest")
        watch = Convergence(self._cluster, self.name, digest, self._tell)
        try:
            self._helm.rollback(self.name, target.number, watch=watch)
        except ReleaseFailed as error:
            raise watch.explained(error) from None
        return self._helm.history(self.name)[-1], target

    def history(self) -> list[tuple[Revision, str | None]]:
        """Returns its revisions that Helm still knows, the oldest first, each with its image.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        revisions = self._helm.history(self.name)
        return [(each, image_in(self._helm.values(self.name, each.number))) for each in revisions]

    def undeploy(self) -> None:
        """Removes it with everything that belongs to it, and waits until its pods have ended.

        Raises:
            ReleaseNotFound: There is no such release.
            ClusterError: The cluster cannot be reached, or refuses.
        """
        self._helm.history(self.name)
        self._helm.uninstall(self.name)


def previous(release: str, revisions: list[Revision]) -> Revision:
    """Returns the last revision that ran before what is there now.

    Raises:
        ReleaseFailed: There is none.
    """
    known = {each.number: each for each in revisions}
    last = revisions[-1]
    # what failed or was cut off is not what runs
    present = _source(last, known) if last.finished else last.number
    older = [each for each in revisions if each.finished and each.number < present]
    if not older:
        problem = f"has no finished revision before revision {present}"
        raise ReleaseFailed(release, problem, f"deploy another image, or remove it with: modelyard undeploy {release}")
    source = _source(older[-1], known)
    return known.get(source, older[-1])


def _source(revision: Revision, known: Mapping[int, Revision]) -> int:
    """Returns the number of the revision that one repeats in the end."""
    number = revision.number
    while number in known and (source := known[number].source) is not None:
        number = source
    return number
