from __future__ import annotations

from collections.abc import Iterator

import pytest

from fake_helm import FakeHelm, revision
from kube_api import KubeApi
from kube_objects import IMAGE, autoscaler, deployment, listed, pod, pods_path
from modelyard.config.models import ClusterSettings
from modelyard.errors import ClusterError, NoRight
from modelyard.kube.cluster import Cluster
from modelyard.kube.helm import Helm
from modelyard.kube.status import Status, status_of

NEW = IMAGE.replace("ab", "cd")


def figures(ok: int, errors: int = 0, refused: int = 0, slow: int = 0) -> str:
    """A service's figures after so many requests, some of which took half a second."""
    every = ok + errors + refused
    route = 'route="/api/v1/predict"'
    return "\n".join(
        [
            f'modelyard_requests_total{{code="200",{route}}} {ok}.0',
            f'modelyard_requests_total{{code="500",{route}}} {errors}.0',
            f'modelyard_requests_total{{code="429",{route}}} {refused}.0',
            'modelyard_requests_total{code="200",route="/livez"} 1000.0',
            f'modelyard_request_seconds_bucket{{le="0.005",{route}}} {every - slow}.0',
            f'modelyard_request_seconds_bucket{{le="0.5",{route}}} {every}.0',
            f'modelyard_request_seconds_bucket{{le="+Inf",{route}}} {every}.0',
        ]
    )


@pytest.fixture
def api(tmp_path, monkeypatch) -> Iterator[KubeApi]:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = FakeHelm(tmp_path)
    program.answers("history", [revision(1, "superseded"), revision(2, description="model 3f2a")])
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        running.objects["/apis/apps/v1/namespaces/scoring/deployments"] = listed(deployment())
        yield running


def look(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, str | ClusterError]) -> Status:
    """Takes a status, in which the pods answer the first time and the second time what is given."""
    rounds = iter(answers)
    current: dict[str, str | ClusterError] = {}
    asked: list[tuple[int, str]] = []

    def answer(_: Cluster, name: str, port: int, path: str) -> str:
        asked.append((port, path))
        found = current[name]
        if isinstance(found, ClusterError):
            raise found
        return found

    listing = Cluster.pods

    def pods(self: Cluster, selector: str) -> list[object]:
        current.clear()
        current.update(next(rounds))
        return listing(self, selector)

    monkeypatch.setattr(Cluster, "get", answer)
    monkeypatch.setattr(Cluster, "pods", pods)
    cluster = Cluster(ClusterSettings())
    seen = status_of("people", cluster, Helm(cluster.namespace), seconds=0.05)
    assert set(asked) == {(9090, "/metrics")}
    return seen


def test_traffic_is_told_by_version(api, monkeypatch):
    api.objects[pods_path()] = listed(pod("a"), pod("b"), pod("c", image=NEW, track="canary"))
    api.objects["/apis/autoscaling/v2/namespaces/scoring/horizontalpodautoscalers/people"] = autoscaler(55)
    seen = look(
        monkeypatch,
        {"a": figures(100), "b": figures(0), "c": figures(10)},
        {"a": figures(400), "b": figures(290, refused=10), "c": figures(190, errors=20, slow=10)},
    )
    stable, canary = seen.tracks
    assert (stable.track, stable.image, stable.ready, stable.pods) == ("stable", IMAGE, 2, 2)
    assert (canary.track, canary.image) == ("canary", NEW)
    assert (stable.share, canary.share) == (0.75, 0.25)
    assert (stable.errors, canary.errors) == (0.0, 0.1)
    assert (stable.refused, canary.refused) == (pytest.approx(10 / 600), 0.0)
    assert stable.rate == pytest.approx(600 / seen.seconds)
    assert stable.p99_ms <= 5 < canary.p99_ms <= 500
    assert seen.autoscaler == {
        "pods": 2,
        "wanted": 3,
        "least": 2,
        "most": 4,
        "target_percent": 70,
        "cpu_percent": 55,
    }
    assert (seen.revision.number, seen.revision.description) == (2, "model 3f2a")
    assert seen.wanted == {"people": 2}


def test_a_pod_that_came_or_was_started_again_counts_what_it_answered_since(api, monkeypatch):
    api.objects[pods_path()] = listed(pod("a"), pod("b"))
    seen = look(
        monkeypatch,
        {"a": figures(100), "b": ClusterError("port 9090 of pod b", "gives no answer")},
        {"a": figures(7), "b": figures(5)},
    )
    assert [pod.reading.requests for pod in seen.pods] == [7, 5]


def test_pods_that_cannot_be_asked_are_shown_all_the_same(api, monkeypatch):
    lost = ClusterError("port 9090 of pod b", "gives no answer (connection refused)")
    starting = {"ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    api.objects[pods_path()] = listed(pod("a"), pod("b", **starting))
    seen = look(monkeypatch, {"a": figures(0), "b": lost}, {"a": figures(0), "b": lost})
    assert [(pod.name, pod.state, pod.restarts) for pod in seen.pods] == [
        ("a", "ready", 0),
        ("b", "CrashLoopBackOff", 3),
    ]
    assert seen.pods[1].problem == str(lost)
    assert seen.tracks[0].ready == 1
    assert (seen.tracks[0].share, seen.tracks[0].errors, seen.tracks[0].p99_ms, seen.autoscaler) == (None,) * 4


def test_states_of_pods(api, monkeypatch):
    ending, pending = pod("a"), pod("b")
    ending["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    ending["status"]["containerStatuses"][0]["ready"] = False
    pending["status"] = {"phase": "Pending"}
    api.objects[pods_path()] = listed(ending, pending, pod("c", ready=False))
    answers = dict.fromkeys("abc", figures(0))
    seen = look(monkeypatch, answers, answers)
    assert [pod.state for pod in seen.pods] == ["ending", "Pending", "starting"]


def test_a_port_that_may_not_be_forwarded_names_the_right(api):
    said = 'pods "people-1" is forbidden: User "anna" cannot create resource "pods/portforward" in API group ""'
    path = f"{pods_path()}/people-1/portforward"
    api.objects[path] = {"kind": "Status", "apiVersion": "v1", "code": 403, "message": said}
    with pytest.raises(NoRight) as refused:
        Cluster(ClusterSettings()).get("people-1", 9090, "/metrics")
    assert (refused.value.verb, refused.value.resource) == ("create", "pods/portforward")


def test_a_pod_that_is_gone_is_named(api):
    gone = {"kind": "Status", "apiVersion": "v1", "code": 404, "message": 'pods "people-1" not found'}
    api.objects[f"{pods_path()}/people-1/portforward"] = gone
    with pytest.raises(ClusterError, match=r'^the cluster at http://127.0.0.1:\d+: pods "people-1" not found$'):
        Cluster(ClusterSettings()).get("people-1", 9090, "/metrics")
