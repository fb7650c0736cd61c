from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube_api import KubeApi
from kube_objects import CORE, IMAGE, deployment, listed, pod, pods_path
from modelyard.config.models import ClusterSettings
from modelyard.errors import ImageNotPulled, QuotaReached, ReleaseFailed
from modelyard.kube import convergence
from modelyard.kube.cluster import Cluster
from modelyard.kube.convergence import Convergence

DEPLOYMENTS = "/apis/apps/v1/namespaces/scoring/deployments"
BACK_OFF = (
    f'Back-off pulling image "{IMAGE}": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack '
    f'image "{IMAGE}": failed to resolve reference "{IMAGE}": {IMAGE}: not found'
)
DENIED = (
    f'failed to pull and unpack image "{IMAGE}": failed to resolve image: pull access denied, repository does not '
    "exist or may require authorization: authorization failed: no basic auth credentials"
)
QUOTA = (
    'pods "people-5d7b9c-x2x" is forbidden: exceeded quota: small, requested: requests.cpu=500m, '
    "used: requests.cpu=1, limited: requests.cpu=1"
)


@pytest.fixture
def api(tmp_path, monkeypatch) -> Iterator[KubeApi]:
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        running.objects[DEPLOYMENTS] = listed(deployment())
        yield running


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watch(api, told, monkeypatch) -> Convergence:
    assert api.url
    monkeypatch.setattr(convergence, "PATIENCE_S", 0.0)
    return Convergence(Cluster(ClusterSettings()), "people", told.append)


def waits(reason: str, message: str = "", **more: object) -> dict[str, object]:
    return {"ready": False, "state": {"waiting": {"reason": reason, "message": message}}, **more}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (BACK_OFF, "not found"),
        (
            DENIED,
            "pull access denied, repository does not exist or may require authorization: authorization failed: "
            "no basic auth credentials",
        ),
    ],
)
def test_an_image_that_cannot_be_pulled_names_node_and_digest(api, watch, said, reason):
    api.objects[pods_path()] = listed(pod(), pod("people-2", **waits("ImagePullBackOff", said)))
    error = watch()
    assert isinstance(error, ImageNotPulled)
    assert str(error) == (
        f"pod people-2 on node n1: cannot pull {IMAGE} ({reason}); push it to where the node looks, or name a pull "
        "secret in the chart's imagePullSecrets"
    )


def test_a_reached_quota_is_named(api, watch):
    api.objects[DEPLOYMENTS] = listed(deployment(type="ReplicaFailure", reason="FailedCreate", message=QUOTA))
    error = watch()
    assert isinstance(error, QuotaReached)
    assert str(error) == (
        "namespace scoring: exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=1, "
        "limited: requests.cpu=1; take less, or have the quota raised"
    )


def test_pods_that_the_cluster_refuses_are_named(api, watch):
    said = 'pods "people-x" is forbidden: violates PodSecurity "restricted:latest": privileged'
    api.objects[DEPLOYMENTS] = listed(deployment(type="ReplicaFailure", message=said))
    assert str(watch()) == f"release people: its pods are refused ({said})"


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"exitCode": 1, "reason": "Error"}, "model.onnx is damaged"),
        ({"exitCode": 137, "reason": "OOMKilled"}, "it needs more memory than its limit"),
    ],
)
def test_a_crash_comes_with_its_last_words(api, watch, over, words):
    api.objects[f"{CORE}/pods/people-1/log"] = "starting\nmodel.onnx is damaged\n\n"
    crashed = {"ready": False, "restartCount": 2, "lastState": {"terminated": over}}
    api.objects[pods_path()] = listed(pod(**crashed))
    error = watch()
    assert isinstance(error, ReleaseFailed)
    assert str(error) == f"release people: pod people-1 on node n1 ends as soon as it starts ({words})"


def test_a_crash_without_words_gives_its_exit_code(api, watch):
    crashed = {"ready": False, "restartCount": 3, "lastState": {"terminated": {"exitCode": 139}}}
    api.objects[pods_path()] = listed(pod(**crashed))
    assert str(watch()).endswith("(exit code 139)")


def test_a_secret_that_is_not_there_is_named(api, watch):
    api.objects[pods_path()] = listed(pod(**waits("CreateContainerConfigError", 'secret "keys" not found')))
    assert str(watch()) == 'release people: pod people-1 on node n1 cannot start (secret "keys" not found)'


def test_pods_of_before_or_on_their_way_out_do_not_count(api, told, monkeypatch):
    monkeypatch.setattr(convergence, "PATIENCE_S", 0.0)
    broken = waits("ImagePullBackOff", BACK_OFF)
    old, leaving = pod("people-0", **broken), pod("people-3", **broken)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z"
    api.objects[pods_path()] = listed(old)
    watch = Convergence(Cluster(ClusterSettings()), "people", told.append)
    api.objects[pods_path()] = listed(old, leaving, pod(), pod("people-2", ready=False))
    assert watch() is None
    assert told == ["1 of 2 new pods are ready"]


def test_a_pod_without_a_node_is_told_but_may_get_one(api, watch, told):
    lonely = pod(ready=False)
    lonely["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes are available"}],
    }
    api.objects[pods_path()] = listed(lonely)
    assert watch() is None
    assert told == ["pod people-1 waits for a node: 0/2 nodes are available"]
    timed_out = ReleaseFailed("people", "context deadline exceeded", "it was removed again")
    assert str(watch.explained(timed_out)) == (
        "release people: pod people-1 waits for a node: 0/2 nodes are available; it was removed again"
    )


def test_trouble_has_some_time_to_pass(api, watch, monkeypatch):
    monkeypatch.setattr(convergence, "PATIENCE_S", 1000.0)
    api.objects[pods_path()] = listed(pod(**waits("ErrImagePull", BACK_OFF)))
    assert watch() is None
    api.objects[pods_path()] = listed(pod())
    assert watch() is None
    monkeypatch.setattr(convergence, "PATIENCE_S", 0.0)
    assert watch() is None
    unchanged = ReleaseFailed("people", "context deadline exceeded")
    assert watch.explained(unchanged) is unchanged


def test_a_cluster_that_does_not_answer_is_left_to_helm(api, watch):
    api.objects[pods_path()] = {"kind": "Status", "code": 500, "message": "etcd is away"}
    assert watch() is None
