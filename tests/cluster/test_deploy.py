"""Releases on a real cluster: from a bento to predictions, updates under load, and back."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cluster.place import Namespace
from cluster.releases import SMALL, Deployer, modelyard, predict
from cluster.traffic import Traffic
from cluster.users import documented_role, user_config
from modelyard.kube.charts import chart_folder
from waiting import until

pytestmark = pytest.mark.cluster


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
        # a pod that drains may be asked until every node has heard that it goes
        until(lambda: predict(url, body)["model"]["version"] == second)
        back = deployer.run("rollback", "people")
        assert (back["revision"], back["as_revision"]) == (3, 1)
        until(lambda: predict(url, body)["model"]["version"] == first)

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


def test_an_image_that_no_node_can_pull_is_rolled_back(
    deployer: Deployer, namespace: Namespace, bentos: tuple[str, str], body: bytes
) -> None:
    deployer.deploy(bentos[0], *SMALL)
    elsewhere = {"image": {"repository": f"{namespace.cluster.images}/nowhere"}}
    error = deployer.having(elsewhere).deploy(bentos[1], code=1)["error"]
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
    wrong = deployer.having({"autoscaling": {"minReplicas": "two"}})
    refused = wrong.deploy(bentos[0], *SMALL, code=2)["error"]
    assert refused["type"] == "ValuesRefused"
    assert "autoscaling.minReplicas: got string, want integer" in refused["message"]
    nowhere = dataclasses.replace(deployer, namespace=Namespace("nowhere", deployer.cluster))
    assert nowhere.deploy(bentos[0], *SMALL, code=1)["error"]["type"] == "NamespaceNotFound"
    assert deployer.run("rollback", "people", code=1)["error"]["type"] == "ReleaseNotFound"
