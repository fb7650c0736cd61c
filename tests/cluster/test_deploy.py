"""Releases on a real cluster: from a bento to predictions, updates under load, and back."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.place import Cluster, Namespace
from cluster.releases import Deployer, modelyard, predict
from cluster.traffic import Traffic
from cluster.users import documented_role, user_config
from modelyard.config.models import Settings
from modelyard.kube.charts import chart_folder
from modelyard_bentos.capacity import measure_bento
from modelyard_bentos.packaging import pack
from served_model import json_rows, make_contract, make_table, save_served
from waiting import until

pytestmark = pytest.mark.cluster

REQUESTS = 20_000
SMALL = ("--target-rps", 200)


@pytest.fixture(scope="module")
def bentos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two versions of a model, whose capacity was measured."""
    work = tmp_path_factory.mktemp("bentos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(work / "bentoml"))
        tags = []
        for rows in (200, 300):
            packed = pack(save_served(work / f"model-{rows}" / "people", make_table(rows=rows)), Settings())
            measure_bento(packed.path)
            tags.append(packed.tag)
        yield tags[0], tags[1]


@pytest.fixture(scope="module")
def body() -> bytes:
    frame = make_table()
    return json.dumps({"rows": json_rows(frame.head(1), make_contract(frame))}).encode()


@pytest.fixture
def deployer(cluster: Cluster, base_image: Callable[[str], str], namespace: Namespace, tmp_path: Path) -> Deployer:
    return Deployer(namespace, f"{cluster.registry}/{base_image('serving')}", tmp_path)


def test_a_release_comes_changes_goes_back_and_goes(
    deployer: Deployer, namespace: Namespace, bentos: tuple[str, str], body: bytes
) -> None:
    first, second = (bento.partition(":")[2] for bento in bentos)
    done = deployer.deploy(bentos[0], *SMALL)
    assert (done["release"], done["revision"], done["target_rps"]) == ("people", 1, 200)
    running = namespace.get("deployment/people")["spec"]
    container = running["template"]["spec"]["containers"][0]
    assert container["image"].endswith(done["image"].partition("@")[2])
    assert container["resources"]["requests"]["cpu"] == f"{round(done['cpu'] * 1000)}m"
    assert namespace.get("hpa/people")["spec"]["minReplicas"] == done["replicas"] == 2

    with namespace.address("service/people", 80) as url:
        assert predict(url, body)["model"]["version"] == first
        namespace.helm("test", "people")
        with Traffic(url, body, clients=4):
            seen = deployer.run("status", "people")
        (track,) = seen["tracks"]
        assert (track["track"], track["share"], track["errors"]) == ("stable", 1.0, 0.0)
        assert track["rate"] > 10
        assert track["p99_ms"] > 0
        # the autoscaler may have added some that have only just begun
        ready = [pod for pod in seen["pods"] if pod["state"] == "ready"]
        assert len(ready) == track["ready"] >= 2
        assert sum(pod["requests"] > 0 for pod in ready) >= 2
        assert not any(pod["problem"] for pod in ready)

        # the size is kept
        assert deployer.deploy(bentos[1])["target_rps"] == 200
        assert predict(url, body)["model"]["version"] == second
        back = deployer.run("rollback", "people")
        assert (back["revision"], back["as_revision"]) == (3, 1)
        assert predict(url, body)["model"]["version"] == first

    history = deployer.run("history", "people")["revisions"]
    assert [(each["number"], each["status"]) for each in history] == [
        (1, "superseded"),
        (2, "superseded"),
        (3, "deployed"),
    ]
    assert history[0]["image"] == history[2]["image"] != history[1]["image"]
    deployer.run("undeploy", "people")
    left = namespace.kubectl("get", "all,hpa,pdb,networkpolicy,configmap,secret", "--output=name").split()
    assert [name for name in left if "kube-root-ca.crt" not in name] == []


def lost(deployer: Deployer, bentos: tuple[str, str], body: bytes, drain_seconds: float, updates: int) -> Traffic:
    """Returns what clients saw while a release of two pods was updated."""
    values = {"serving": {"drain_seconds": drain_seconds}}
    deployer.deploy(bentos[0], *SMALL, values=values)
    with deployer.namespace.address("service/people", 80) as url, Traffic(url, body) as traffic:
        for update in range(updates):
            deployer.deploy(bentos[(update + 1) % 2], values=values)
        until(lambda: traffic.sent >= REQUESTS)
    print(f"drain {drain_seconds} s: {traffic.sent} requests over {updates} updates, failed: {dict(traffic.failed)}")
    return traffic


def test_an_update_under_load_loses_nothing(deployer: Deployer, bentos: tuple[str, str], body: bytes) -> None:
    traffic = lost(deployer, bentos, body, drain_seconds=5, updates=1)
    assert traffic.failed == {}
    assert min(traffic.kept.answers[200], traffic.new.answers[200]) > REQUESTS / 4


def test_without_the_drain_updates_lose_requests(deployer: Deployer, bentos: tuple[str, str], body: bytes) -> None:
    assert lost(deployer, bentos, body, drain_seconds=0, updates=2).failed


def test_an_image_that_no_node_can_pull_is_rolled_back(
    deployer: Deployer, namespace: Namespace, bentos: tuple[str, str], body: bytes
) -> None:
    deployer.deploy(bentos[0], *SMALL)
    elsewhere = {"image": {"repository": f"{namespace.cluster.images}/nowhere"}}
    error = deployer.deploy(bentos[1], values=elsewhere, code=1)["error"]
    assert error["type"] == "ImageNotPulled"
    assert f"cannot pull {namespace.cluster.images}/nowhere@sha256:" in error["message"]
    assert error["message"].endswith("it was rolled back to what ran before")
    with namespace.address("service/people", 80) as url:
        assert predict(url, body)["model"]["version"] == bentos[0].partition(":")[2]


def test_a_first_release_that_cannot_run_leaves_nothing(
    deployer: Deployer, namespace: Namespace, bentos: tuple[str, str]
) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": "1"}},
    }
    namespace.apply(quota)
    error = deployer.deploy(bentos[0], *SMALL, code=1)["error"]
    assert error["type"] == "QuotaReached"
    assert "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1" in error["message"]
    assert error["message"].endswith("it was removed again")
    assert deployer.run("status", "people", code=1)["error"]["type"] == "ReleaseNotFound"


def test_a_change_that_was_cut_off_is_left_by_rollback(
    deployer: Deployer, namespace: Namespace, bentos: tuple[str, str]
) -> None:
    deployer.deploy(bentos[0], *SMALL)
    cut_off(namespace)
    error = deployer.deploy(bentos[1], code=1)["error"]
    assert error["type"] == "ReleaseBusy"
    assert error["message"].endswith("get out with: modelyard rollback people")
    assert error["message"].startswith("release people: is in the middle of a change (pending-upgrade, revision 2, ")
    assert deployer.run("rollback", "people")["as_revision"] == 1
    assert deployer.deploy(bentos[1])["revision"] == 4


def cut_off(namespace: Namespace) -> None:
    """Leaves a release as a laptop does whose lid is closed during an upgrade."""
    command = ["helm", "--namespace", namespace.name, "upgrade", "people", str(chart_folder("modelyard-serving"))]
    values = ["--reuse-values", "--set", f"image.digest=sha256:{'0' * 64}", "--wait"]
    with subprocess.Popen([*command, *values], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as helm:
        until(lambda: "people.v2" in namespace.kubectl("get", "secrets", "--output=name"))
        helm.kill()


def test_what_helm_renders_can_be_applied_by_kubectl(
    deployer: Deployer, namespace: Namespace, bentos: tuple[str, str], body: bytes, tmp_path: Path
) -> None:
    written = deployer.deploy(bentos[0], *SMALL, "--write", tmp_path / "written.yaml")
    helm, _, _ = written["without_helm"].removeprefix("helm ").partition(" | ")
    namespace.kubectl("apply", "--server-side", "--filename", "-", text=namespace.helm(*helm.split()))
    namespace.kubectl("rollout", "status", "deployment/people", "--timeout=120s")
    with namespace.address("service/people", 80) as url:
        assert predict(url, body)["model"]["version"] == bentos[0].partition(":")[2]


@pytest.fixture
def role() -> dict[str, Any]:
    return documented_role("deploy.md")


@pytest.fixture
def user(namespace: Namespace, role: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on commands are those of a user who has this Role and nothing else."""
    monkeypatch.setenv("KUBECONFIG", str(user_config(namespace, tmp_path, role)))


@pytest.mark.usefixtures("user")
def test_the_role_of_the_docs_is_enough(deployer: Deployer, namespace: Namespace, bentos: tuple[str, str]) -> None:
    deployer.deploy(bentos[0], *SMALL)
    deployer.deploy(bentos[1])
    namespace.helm("test", "people")
    pods = deployer.run("status", "people")["pods"]
    assert [pod["problem"] for pod in pods if pod["state"] == "ready" and pod["problem"]] == []
    assert deployer.run("rollback", "people")["revision"] == 3
    assert len(deployer.run("history", "people")["revisions"]) == 3
    deployer.run("undeploy", "people")


@pytest.mark.usefixtures("user")
def test_a_right_that_is_missing_is_named(
    deployer: Deployer, namespace: Namespace, role: dict[str, Any], bentos: tuple[str, str], monkeypatch
) -> None:
    theirs = os.environ["KUBECONFIG"]
    monkeypatch.undo()
    rule = next(rule for rule in role["rules"] if "deployments" in rule["resources"])
    rule["verbs"].remove("patch")
    namespace.apply(role)
    monkeypatch.setenv("KUBECONFIG", theirs)
    error = deployer.deploy(bentos[0], *SMALL, code=1)["error"]
    assert (error["type"], "no right to patch deployments" in error["message"]) == ("NoRight", True)
    elsewhere = modelyard("status", "people", "--namespace", "kube-system", code=1)["error"]
    assert (elsewhere["type"], "no right to list secrets" in elsewhere["message"]) == ("NoRight", True)


def test_what_is_wrong_with_the_call_is_said(deployer: Deployer, bentos: tuple[str, str]) -> None:
    refused = deployer.deploy(bentos[0], *SMALL, values={"autoscaling": {"minReplicas": "two"}}, code=2)["error"]
    assert refused["type"] == "ValuesRefused"
    assert "autoscaling.minReplicas: got string, want integer" in refused["message"]
    nowhere = dataclasses.replace(deployer, namespace=Namespace("nowhere", deployer.cluster))
    assert nowhere.deploy(bentos[0], *SMALL, code=1)["error"]["type"] == "NamespaceNotFound"
    assert deployer.run("rollback", "people", code=1)["error"]["type"] == "ReleaseNotFound"
