"""A search in a cluster as a machine outside sees it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fake_helm import FakeHelm
from kube_api import KubeApi
from kube_objects import listed
from modelyard.config.models import ClusterSettings, Settings
from modelyard.errors import ClusterError, NoRight, RunError, UsageError
from modelyard.kube import cluster as cluster_module
from modelyard.kube import search as search_module
from modelyard.kube.cluster import Cluster
from modelyard.kube.helm import Helm
from modelyard.kube.search import ClusterSearch
from modelyard.kube.submission import install, require_rights, token_secret
from modelyard.registry.runs import Run, create_run
from waiting import until

CORE, BATCH = "/api/v1/namespaces/scoring", "/apis/batch/v1/namespaces/scoring"
RELEASE = "run-weekly-1"
PROGRESS = {"stage": "search", "trials": 3, "metric": "roc_auc", "best": 0.9}


class Told:
    """Remembers what it was told, and does something when it was told enough."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.texts: list[str] = []

    def progress(self, progress: dict[str, Any]) -> None:
        self.reports.append(progress)

    def say(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeApi]:
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setattr(search_module, "POLL_S", 0.01)
        running.objects[f"{BATCH}/jobs/{RELEASE}"] = job()
        yield running


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = FakeHelm(tmp_path)
    program.prints("install", "")
    program.prints("uninstall", "")
    return program


@pytest.fixture
def run() -> Run:
    settings = Settings.model_validate({"storage": {"runs": f"memory://{uuid.uuid4().hex}/runs"}})
    return create_run(settings, name="weekly-1", state="submitted")


@pytest.fixture
def search(api: KubeApi, helm: FakeHelm, run: Run) -> ClusterSearch:  # noqa: ARG001  # must be there first
    settings = ClusterSettings()
    cluster = Cluster(settings)
    return ClusterSearch(run, settings, cluster, Helm(cluster.namespace))


def job(**condition: str) -> dict[str, Any]:
    conditions = [{"status": "True", **condition}] if condition else []
    return {"metadata": {"name": RELEASE}, "status": {"conditions": conditions}}


def pod(name: str = "run-weekly-1-0-abcde", created: str = "2026-11-25T12:00:00Z", **state: Any) -> dict[str, Any]:
    status = {"name": "ray", "image": "registry.local/training:1", "imageID": "", "ready": True, "restartCount": 0}
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"nodeName": "n1", "containers": [{"name": "ray", "image": "registry.local/training:1"}]},
        "status": {"phase": "Running", "containerStatuses": [{**status, "state": state}]},
    }


def test_a_complete_run_ends_the_following_when_the_job_knows(
    search: ClusterSearch, api: KubeApi, run: Run, told: Told
) -> None:
    run.update(state="complete", progress=PROGRESS)
    api.comes(f"{BATCH}/jobs/{RELEASE}", job(type="SuccessCriteriaMet"), after=2)
    search.follow(told)
    assert told.reports == [PROGRESS] * 3
    assert told.texts == []


def test_a_complete_run_is_complete_where_the_job_never_knows(
    search: ClusterSearch, run: Run, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.update(state="complete")
    monkeypatch.setattr(search_module, "PATIENCE_S", 0.1)
    search.follow(told)
    assert told.texts == []


def test_a_lost_connection_is_said_once_and_borne(
    search: ClusterSearch, api: KubeApi, run: Run, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.objects[f"{BATCH}/jobs/{RELEASE}"] = {"code": 500, "message": "etcd is away"}
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            api.objects[f"{BATCH}/jobs/{RELEASE}"] = job()
        if len(waits) == 5:
            run.update(state="complete")
            api.objects[f"{BATCH}/jobs/{RELEASE}"] = job(type="Complete")

    monkeypatch.setattr(time, "sleep", sleep)
    search.follow(told)
    assert len(waits) == 5
    assert len(told.texts) == 1
    assert told.texts[0].startswith("no answer, trying again: the cluster at http://127.0.0.1:")


def test_a_failure_for_good_needs_no_waiting_for_the_job(search: ClusterSearch, run: Run, told: Told) -> None:
    run.update(state="failed", error="people.csv has no column 'target'", permanent=True)
    with pytest.raises(RunError, match=r"^run weekly-1 failed: people.csv has no column 'target'$"):
        search.follow(told)


def test_a_failed_job_says_what_its_pod_said(search: ClusterSearch, api: KubeApi, told: Told) -> None:
    api.objects[f"{BATCH}/jobs/{RELEASE}"] = job(type="FailureTarget", message="index 0 has failed")
    with pytest.raises(RunError, match="failed: index 0 has failed; go on with: modelyard tune --on kube --resume"):
        search.follow(told)
    over = {"exitCode": 137, "reason": "OOMKilled"}
    api.objects[f"{CORE}/pods"] = listed(pod(terminated=over))
    with pytest.raises(RunError, match="failed: OOMKilled"):
        search.follow(told)


def test_a_job_that_somebody_removed_is_gone(search: ClusterSearch, api: KubeApi, told: Told) -> None:
    del api.objects[f"{BATCH}/jobs/{RELEASE}"]
    assert not search.is_active()
    with pytest.raises(ClusterError, match="run weekly-1 is no longer in the cluster: go on with"):
        search.follow(told)


def test_an_image_that_cannot_be_pulled_is_said_and_then_ends_the_following(
    search: ClusterSearch, api: KubeApi, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "PATIENCE_S", 0.1)
    api.objects[f"{CORE}/pods"] = listed(pod(waiting={"reason": "ImagePullBackOff", "message": "not found"}))
    problem = "pod run-weekly-1-0-abcde on node n1 cannot pull registry.local/training:1: not found"
    with pytest.raises(ClusterError, match=f"^{problem}: mend that and `modelyard attach weekly-1`"):
        search.follow(told)
    assert told.texts == [problem]


def test_a_quota_that_leaves_no_room_is_said(
    search: ClusterSearch, api: KubeApi, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "PATIENCE_S", 0.0)
    warning = {"message": 'pods "x" is forbidden: exceeded quota: small', "metadata": {"name": "e"}}
    api.objects[f"{CORE}/events"] = listed({**warning, "involvedObject": {}})
    with pytest.raises(ClusterError, match="exceeded quota: small"):
        search.follow(told)


def test_kubrays_own_status_counts_too(api: KubeApi, helm: FakeHelm, run: Run, told: Told) -> None:  # noqa: ARG001
    settings = ClusterSettings(engine="kuberay")
    cluster = Cluster(settings)
    search = ClusterSearch(run, settings, cluster, Helm(cluster.namespace))
    path = f"/apis/ray.io/v1/namespaces/scoring/rayjobs/{RELEASE}"
    api.objects[path] = {"status": {"jobDeploymentStatus": "Running"}}
    assert search.is_active()
    api.objects[path] = {"status": {"jobDeploymentStatus": "Complete", "jobStatus": "FAILED", "message": "exit 1"}}
    with pytest.raises(RunError, match="failed: exit 1"):
        search.follow(told)


def test_cancelling_removes_all_but_the_run(search: ClusterSearch, api: KubeApi, helm: FakeHelm, run: Run) -> None:
    api.objects[f"{CORE}/secrets/{token_secret(RELEASE)}"] = {}
    search.cancel()
    assert f"uninstall {RELEASE} --ignore-not-found" in helm.calls[-1]
    assert f"{CORE}/secrets/{token_secret(RELEASE)}" not in api.objects
    assert run.info["state"] == "interrupted"
    assert json.loads(run.storage.read("lease/000001.json"))["expires"] <= time.time()


def test_pods_of_a_lost_node_are_left_behind(
    search: ClusterSearch, api: KubeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, lost = pod("slow"), pod("lost")
    for each in (slow, lost):
        each["spec"]["terminationGracePeriodSeconds"] = 40
    api.objects[f"{CORE}/pods"] = listed(slow, lost)
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds
        if passed[0] > 20:
            api.objects[f"{CORE}/pods"] = listed(lost)

    monkeypatch.setattr(cluster_module, "time", SimpleNamespace(monotonic=lambda: passed[0], sleep=sleep))
    search.clear()
    assert 40 < passed[0] < 60


def test_a_run_that_is_over_is_not_cancelled(search: ClusterSearch, run: Run) -> None:
    run.update(state="complete")
    with pytest.raises(UsageError, match="is complete already"):
        search.cancel()
    assert run.info["state"] == "complete"


def test_the_log_goes_on_where_it_was_and_with_the_newest_pod(search: ClusterSearch, api: KubeApi) -> None:
    lines: list[str] = []
    first, second = pod("first", "2026-11-25T12:00:00Z"), pod("second", "2026-11-25T12:00:09Z")
    api.objects[f"{CORE}/pods"] = listed(first)
    api.objects[f"{CORE}/pods/first/log"] = "loading\nsearch\n"
    with search.log(lines.append):
        until(lambda: lines == ["loading", "search"])
        api.objects[f"{CORE}/pods/first/log"] = "loading\nsearch\nfinalists\n"
        until(lambda: lines[2:] == ["finalists"])
        api.objects[f"{CORE}/pods/second/log"] = "loading\n"
        api.objects[f"{CORE}/pods"] = listed(first, second)
        until(lambda: lines[3:] == ["loading"])
    assert lines == ["loading", "search", "finalists", "loading"]


def test_a_missing_right_is_named_before_anything_is_made(api: KubeApi) -> None:
    cluster = Cluster(ClusterSettings())
    require_rights(ClusterSettings(), cluster)
    api.denied.add(("create", "jobs"))
    with pytest.raises(NoRight, match="no right to create jobs there"):
        require_rights(ClusterSettings(), cluster)
    require_rights(ClusterSettings(engine="kuberay"), cluster)


def test_the_token_is_made_and_never_a_value(api: KubeApi, helm: FakeHelm, run: Run) -> None:
    cluster = Cluster(ClusterSettings())
    for _ in range(2):  # a second time after a release that was removed by other hands
        install(run, {"run": run.name}, ClusterSettings(), cluster, Helm(cluster.namespace))
    secret = api.objects[f"{CORE}/secrets/{token_secret(RELEASE)}"]
    assert len(secret["stringData"]["auth_token"]) == 48
    assert helm.values == {"run": "weekly-1"}
    assert f"install {RELEASE} " in helm.calls[-1]
