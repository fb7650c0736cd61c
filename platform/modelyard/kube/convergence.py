"""Why the pods of a release do not get ready, while Helm waits for them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from modelyard.errors import ClusterError, ImageNotPulled, ReleaseFailed
from modelyard.kube.cluster import Cluster
from modelyard.kube.pods import PULL, SETUP, waiting
from modelyard.kube.refusals import refusal

__all__ = ["TRACK", "Convergence", "image_of", "selector_of", "serving_container", "serving_status"]

# the label that tells a pod's track
TRACK = "modelyard.io/track"
# another container may stand beside it, put there by a mesh
CONTAINER = "serving"

# a registry may be slow to know an image, a quota may be free in a moment, a first start may fail
PATIENCE_S = 20.0
CRASHES = 2
# what the container runtime puts around the reason
AROUND = re.compile(r"rpc error|failed to (pull|resolve)|Back-off pulling|ErrImagePull|desc = ")


def selector_of(release: str) -> str:
    """Returns what selects the pods of a release that predict."""
    return f"app.kubernetes.io/instance={release},app.kubernetes.io/component=serving"


def serving_container(pod: Any) -> Any:
    """Returns the container that predicts, as it was asked for."""
    return next(each for each in pod.spec.containers if each.name == CONTAINER)


def image_of(pod: Any) -> str:
    """Returns the image that a pod was told to run."""
    return str(serving_container(pod).image)


def serving_status(pod: Any) -> Any | None:
    """Returns how the container that predicts is; none before there is one."""
    return next((each for each in pod.status.container_statuses or () if each.name == CONTAINER), None)


class Convergence:
    """Looks at the pods that a release gets from now on, each time that it is called.

    Args:
        cluster: The namespace.
        release: The release.
        tell: Is told what keeps them from being ready, whenever that changes.

    Raises:
        ClusterError: The cluster cannot be reached, or refuses.
    """

    def __init__(self, cluster: Cluster, release: str, tell: Callable[[str], None]) -> None:
        self._cluster, self._release, self._tell = cluster, release, tell
        # what is wrong with these is what is being mended
        self._before = {pod.metadata.name for pod in cluster.pods(selector_of(release))}
        self._since: float | None = None
        self._told = self._hindrance = ""

    def __call__(self) -> ClusterError | None:
        """Returns what the pods will never get over, once it has stood in their way for a while."""
        try:
            error = self._look()
        except ClusterError:
            return None  # Helm asks too, and says so
        if error is None:
            self._since = None
            return None
        self._say(str(error))
        self._since = self._since or time.monotonic()
        return error if time.monotonic() - self._since >= PATIENCE_S else None

    def explained(self, error: ReleaseFailed) -> ClusterError:
        """Returns Helm's error with what was seen of the pods, which says more than that time was up."""
        return ReleaseFailed(self._release, self._hindrance, error.outcome) if self._hindrance else error

    def _look(self) -> ClusterError | None:
        selector = selector_of(self._release)
        pods = [pod for pod in self._cluster.pods(selector) if self._is_new(pod)]
        if (error := self._refused(selector)) is not None:
            return error
        ready = 0
        for pod in pods:
            status = serving_status(pod)
            if status is not None and (error := self._broken(pod, status)) is not None:
                return error
            ready += status is not None and status.ready
        self._hindrance = waiting(pods)
        self._say(self._hindrance or f"{ready} of {len(pods)} new pods are ready")
        return None

    def _is_new(self, pod: Any) -> bool:
        return pod.metadata.name not in self._before and not pod.metadata.deletion_timestamp

    def _refused(self, selector: str) -> ClusterError | None:
        """Returns why the cluster does not even make the pods."""
        for deployment in self._cluster.deployments(selector):
            for condition in deployment.status.conditions or ():
                if condition.type == "ReplicaFailure" and condition.status == "True":
                    said = str(condition.message).rstrip(".")
                    known = refusal(said, self._cluster.namespace)
                    return known or ReleaseFailed(self._release, f"its pods are refused ({said})")
        return None

    def _broken(self, pod: Any, status: Any) -> ClusterError | None:
        name, node = pod.metadata.name, pod.spec.node_name
        state = status.state.waiting if status.state else None
        if state is not None and state.reason in PULL:
            return ImageNotPulled(image_of(pod), name, node, _reason(state.message or state.reason))
        if state is not None and state.reason in SETUP:
            said = (state.message or state.reason).rstrip(".")
            return ReleaseFailed(self._release, f"pod {name} on node {node} cannot start ({said})")
        over = status.last_state.terminated if status.last_state else None
        if over is not None and status.restart_count >= CRASHES and not status.ready:
            words = self._cluster.last_words(name, CONTAINER) or f"exit code {over.exit_code}"
            if over.reason == "OOMKilled":
                words = "it needs more memory than its limit"
            return ReleaseFailed(self._release, f"pod {name} on node {node} ends as soon as it starts ({words})")
        return None

    def _say(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._tell(text)


def _reason(said: str) -> str:
    """Takes the reason out of what the container runtime says, which repeats the image at every step."""
    parts = [part.strip() for part in said.rstrip(".").split(": ")]
    told = [part for part in parts if not AROUND.search(part) and "sha256" not in part]
    return ": ".join(told[-3:]) or parts[-1]
