"""How a release is: its pods, and what they answered during a few seconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from modelyard.errors import ClusterError
from modelyard.kube.canary import Canary, canary_of
from modelyard.kube.cluster import Cluster
from modelyard.kube.convergence import TRACK, image_of, selector_of, serving_container, serving_status
from modelyard.kube.helm import Helm, Revision
from modelyard.kube.tracks import deployments
from modelyard.monitoring.readings import Reading

__all__ = ["PodStatus", "Status", "TrackStatus", "read_pods", "status_of"]

SECONDS = 5.0
AT_ONCE = 16


@dataclass(frozen=True)
class PodStatus:
    """A pod, and what it answered.

    Attributes:
        name: Its name.
        node: Where it runs; none: nowhere yet.
        track: ``stable`` or ``canary``.
        image: That it was told to run.
        state: ``ready``, or why it is not.
        restarts: How often it was started again.
        reading: What it answered meanwhile; none where it could not be asked.
        problem: Why it could not.
    """

    name: str
    node: str | None
    track: str
    image: str
    state: str
    restarts: int
    reading: Reading | None
    problem: str


@dataclass(frozen=True)
class TrackStatus:
    """The pods of a track that run the same image.

    Attributes:
        track: ``stable`` or ``canary``.
        image: What they run.
        ready: How many of them take requests.
        pods: How many there are.
        share: Of all requests, those that they answered; none where there was none.
        rate: Requests a second.
        errors: Share of requests with status 500 or more; none where there was none.
        refused: Share of requests with status 429; none where there was none.
        p99_ms: Of requests, in milliseconds; none where there was none.
    """

    track: str
    image: str
    ready: int
    pods: int
    share: float | None
    rate: float
    errors: float | None
    refused: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Status:
    """How a release is.

    Attributes:
        release: Its name.
        namespace: Where it is.
        revision: The last.
        wanted: Pods that there should be, by Deployment.
        autoscaler: What it sees and wants; none where there is none.
        canary: The rollout under way; none where there is none.
        seconds: How long the pods were looked at.
        tracks: By track and image, the most requests first.
        pods: All of them.
    """

    release: str
    namespace: str
    revision: Revision
    wanted: dict[str, int]
    autoscaler: dict[str, int | None] | None
    canary: Canary | None
    seconds: float
    tracks: tuple[TrackStatus, ...]
    pods: tuple[PodStatus, ...]


def status_of(release: str, cluster: Cluster, helm: Helm, seconds: float = SECONDS) -> Status:
    """Asks the cluster, and each pod twice.

    Args:
        release: The release.
        cluster: Its namespace.
        helm: The namespace's releases.
        seconds: Between the two times.

    Raises:
        ReleaseNotFound: There is no such release.
        NoRight: The user may not look.
        ClusterError: The cluster cannot be reached.
    """
    revision = helm.history(release)[-1]
    selector = selector_of(release)
    before, start = read_pods(cluster, cluster.pods(selector)), time.monotonic()
    time.sleep(seconds)
    listed = cluster.pods(selector)
    after, took = read_pods(cluster, listed), time.monotonic() - start
    pods = tuple(_pod(pod, before.get(pod.metadata.name), after[pod.metadata.name]) for pod in listed)
    tracks = deployments(cluster, release)
    stable = tracks.get("stable")
    scaler = cluster.autoscaler(stable.metadata.name) if stable is not None else None
    return Status(
        release=release,
        namespace=cluster.namespace,
        revision=revision,
        wanted={each.metadata.name: each.spec.replicas for each in tracks.values()},
        autoscaler=scaler and _autoscaler(scaler),
        canary=canary_of(release, stable),
        seconds=took,
        tracks=_tracks(pods, took),
        pods=pods,
    )


def read_pods(cluster: Cluster, pods: Sequence[Any]) -> dict[str, Reading | ClusterError]:
    """Returns what each pod counted so far, or why it could not be asked, by name."""

    def read(pod: Any) -> Reading | ClusterError:
        try:
            return Reading.parse(cluster.get(pod.metadata.name, _metrics_port(pod), "/metrics"))
        except ClusterError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as workers:
        answers = list(workers.map(read, pods))
    return {pod.metadata.name: answer for pod, answer in zip(pods, answers, strict=True)}


def _metrics_port(pod: Any) -> int:
    ports = {port.name: int(port.container_port) for port in serving_container(pod).ports}
    return ports.get("metrics") or ports["http"]


def _pod(pod: Any, before: Reading | ClusterError | None, after: Reading | ClusterError) -> PodStatus:
    status = serving_status(pod)
    state = "ready" if status is not None and status.ready else _trouble(pod, status)
    reading = None
    if isinstance(after, Reading):
        # a pod that was not there before has answered all that it counted since
        reading = after.since(before) if isinstance(before, Reading) else after
    return PodStatus(
        name=pod.metadata.name,
        node=pod.spec.node_name,
        track=pod.metadata.labels.get(TRACK, ""),
        image=image_of(pod),
        state=state,
        restarts=status.restart_count if status is not None else 0,
        reading=reading,
        problem="" if isinstance(after, Reading) else str(after),
    )


def _trouble(pod: Any, status: Any | None) -> str:
    if pod.metadata.deletion_timestamp:
        return "ending"
    waiting = status.state.waiting if status is not None and status.state else None
    return (waiting.reason if waiting else None) or ("starting" if pod.status.phase == "Running" else pod.status.phase)


def _tracks(pods: Sequence[PodStatus], seconds: float) -> tuple[TrackStatus, ...]:
    every = Reading.total(pod.reading for pod in pods if pod.reading).requests
    found = []
    for track, image in dict.fromkeys((pod.track, pod.image) for pod in pods):
        own = [pod for pod in pods if (pod.track, pod.image) == (track, image)]
        total = Reading.total(pod.reading for pod in own if pod.reading)
        p99 = total.quantile(0.99)
        found.append(
            TrackStatus(
                track=track,
                image=image,
                ready=sum(pod.state == "ready" for pod in own),
                pods=len(own),
                share=total.requests / every if every else None,
                rate=total.requests / seconds,
                errors=total.errors / total.requests if total.requests else None,
                refused=total.refused / total.requests if total.requests else None,
                p99_ms=None if p99 is None else 1000 * p99,
            )
        )
    return tuple(sorted(found, key=lambda each: -each.rate))


def _autoscaler(scaler: Any) -> dict[str, int | None]:
    (metric,) = scaler.spec.metrics
    seen = [each.container_resource for each in scaler.status.current_metrics or () if each.container_resource]
    return {
        "pods": scaler.status.current_replicas,
        "wanted": scaler.status.desired_replicas,
        "least": scaler.spec.min_replicas,
        "most": scaler.spec.max_replicas,
        "target_percent": metric.container_resource.target.average_utilization,
        "cpu_percent": seen[0].current.average_utilization if seen else None,
    }
