from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kube_api import KubeApi
from kube_objects import listed, pod, pods_path
from modelyard.config.models import ClusterSettings
from modelyard.errors import ClusterError
from modelyard.kube.cluster import Cluster
from modelyard.kube.tracks import Observation, canary_pods
from modelyard.monitoring.readings import Reading


@pytest.mark.parametrize(
    ("stable", "weight", "pods"),
    [(2, 10, 1), (2, 50, 2), (9, 10, 1), (10, 20, 3), (5, 23, 1), (5, 24, 2), (1, 99, 99), (100, 1, 1), (3, 33, 1)],
)
def test_a_canary_has_the_pods_of_its_share(stable, weight, pods):
    assert canary_pods(stable, weight) == pods
    assert pods == max(1, int(stable * weight / (100 - weight) + 0.5))


class Counting:
    """Pods that answer what they are told to."""

    def __init__(self) -> None:
        self.counts: dict[str, int | None] = {}

    def __call__(self, pods: Sequence[Any]) -> dict[str, Reading | ClusterError]:
        return {each.metadata.name: self._of(each.metadata.name) for each in pods}

    def _of(self, name: str) -> Reading | ClusterError:
        count = self.counts[name]
        return ClusterError(f"pod {name}", "gives no answer") if count is None else Reading(Counter({"200": count}))


@pytest.fixture
def api(tmp_path, monkeypatch) -> Iterator[KubeApi]:
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        yield running


@pytest.fixture
def pods() -> Counting:
    return Counting()


def put(api: KubeApi, pods: Counting, **counts: int | None) -> None:
    """Lets there be these pods, of which those that begin with c are the canary's."""
    pods.counts = counts
    tracks = {name: "canary" if name.startswith("c") else "stable" for name in counts}
    api.objects[pods_path()] = listed(*(pod(name, track=track) for name, track in tracks.items()))


def requests(watch: Observation) -> tuple[int, int]:
    return watch.of("stable").reading.requests, watch.of("canary").reading.requests


def test_only_what_comes_from_now_on_counts_whichever_pods_come_and_go(api, pods):
    put(api, pods, a=100, b=200, c1=50)
    watch = Observation(Cluster(ClusterSettings()), "people", pods)
    assert requests(watch) == (0, 0)
    put(api, pods, a=110, c1=53, c2=4)
    watch.look()
    assert requests(watch) == (10, 7)
    # a goes with what it had counted, d was not there before
    put(api, pods, d=5, c1=53, c2=6)
    watch.look()
    assert requests(watch) == (15, 9)


def test_a_pod_that_was_silent_at_first_counts_from_its_first_answer(api, pods):
    put(api, pods, a=None, c1=0)
    watch = Observation(Cluster(ClusterSettings()), "people", pods)
    assert watch.problem == "pod a: gives no answer"
    put(api, pods, a=1000, c1=0)
    watch.look()
    assert (requests(watch), watch.problem) == ((0, 0), "")
    put(api, pods, a=None, c1=0)
    watch.look()
    put(api, pods, a=1007, c1=0)
    watch.look()
    assert requests(watch) == (7, 0)


def test_containers_that_were_started_again_are_counted(api, pods):
    pods.counts = {"c1": 0, "c2": 0}
    api.objects[pods_path()] = listed(pod("c1", track="canary", restartCount=4))
    watch = Observation(Cluster(ClusterSettings()), "people", pods)
    assert watch.of("canary").restarts == 0
    later = [pod("c1", track="canary", restartCount=5), pod("c2", track="canary", restartCount=2)]
    api.objects[pods_path()] = listed(*later)
    watch.look()
    watch.look()
    assert watch.of("canary").restarts == 3
    assert watch.of("stable").restarts == 0
