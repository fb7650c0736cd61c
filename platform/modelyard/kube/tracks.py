"""The two tracks of a release: how many pods each has, and what they answered since a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modelyard.errors import ClusterError
from modelyard.kube.cluster import Cluster
from modelyard.kube.convergence import TRACK, selector_of, serving_status
from modelyard.kube.gate import Observed
from modelyard.monitoring.readings import Reading

__all__ = ["Observation", "Source", "canary_pods", "deployments"]

# what each pod counted so far, or why it could not be asked, by name
Source = Callable[[Sequence[Any]], Mapping[str, Reading | ClusterError]]


def canary_pods(stable: int, weight: int) -> int:
    """Returns how many pods give a canary its share, at least one, halves up: as the chart has it."""
    rest = 100 - weight
    return max(1, (2 * stable * weight + rest) // (2 * rest))


def deployments(cluster: Cluster, release: str) -> dict[str, Any]:
    """Returns the Deployments of a release by their track."""
    return {each.metadata.labels[TRACK]: each for each in cluster.deployments(selector_of(release))}


class Observation:
    """What the tracks answer from now on, whichever pods come and go meanwhile.

    Args:
        cluster: The namespace.
        release: The release.
        source: Asks pods for what they counted.
    """

    def __init__(self, cluster: Cluster, release: str, source: Source) -> None:
        self._cluster, self._selector, self._source = cluster, selector_of(release), source
        self._last: dict[str, Reading] = {}
        self._restarts: dict[str, int] = {}
        self._seen: dict[str, Observed] = {}
        self.problem = ""
        # what these counted before does not count; all that a later one counts does
        self._early = {pod.metadata.name for pod in self._cluster.pods(self._selector)}
        self.look()

    def look(self) -> None:
        """Asks all pods once more.

        Raises:
            ClusterError: The cluster, or what is asked in the pods' place, cannot be reached.
        """
        pods = self._cluster.pods(self._selector)
        answers = self._source(pods)
        self.problem = next((str(answer) for answer in answers.values() if isinstance(answer, ClusterError)), "")
        for pod in pods:
            self._add(pod, answers[pod.metadata.name])

    def of(self, track: str) -> Observed:
        """Returns what a track did since the beginning."""
        return self._seen.get(track, Observed(Reading()))

    def _add(self, pod: Any, answer: Reading | ClusterError) -> None:
        name, track, status = pod.metadata.name, pod.metadata.labels.get(TRACK, ""), serving_status(pod)
        count = status.restart_count if status is not None else 0
        restarts = count - self._restarts.setdefault(name, count if name in self._early else 0)
        self._restarts[name] = count
        new = Reading()
        if isinstance(answer, Reading):
            if name in self._last:
                new = answer.since(self._last[name])
            elif name not in self._early:
                new = answer
            self._last[name] = answer
        before = self.of(track)
        self._seen[track] = Observed(Reading.total((before.reading, new)), before.restarts + restarts)
