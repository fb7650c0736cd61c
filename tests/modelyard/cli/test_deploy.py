from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fake_helm import FakeHelm, revision
from image_bases import push_base
from kube_api import KubeApi
from kube_objects import autoscaler, deployment, listed, pod, pods_path
from measured import capacity_of
from modelyard.config.models import Settings
from modelyard.kube import convergence, status
from modelyard.kube.reference import Reference
from modelyard.models.capacity import keep_capacity
from modelyard_bentos.packaging import Packed, pack
from oci_registry import OciRegistry
from served_model import make_table, save_served

PENDING = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"
ROLLED_BACK = (
    "Error: UPGRADE FAILED: release people failed, and has been rolled back due to rollback-on-failure being set: "
    "context canceled\n"
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """A bento of BentoML's own making, whose capacity was measured."""
    home = tmp_path_factory.mktemp("bentoml")
    folder = save_served(tmp_path_factory.mktemp("model") / "people", make_table(rows=60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        made = pack(folder, Settings())
        keep_capacity(made.model, capacity_of())
        yield made


@pytest.fixture(scope="module")
def registry() -> Iterator[OciRegistry]:
    with OciRegistry() as running:
        yield running


@pytest.fixture(scope="module")
def base(packed, registry) -> Reference:
    pins = (packed.path / "env" / "python" / "requirements.txt").read_text()
    return push_base(Reference(registry.host, "serving", "1"), packages=pins)


@pytest.fixture(autouse=True)
def helm(tmp_path, monkeypatch) -> FakeHelm:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return FakeHelm(folder)


@pytest.fixture(autouse=True)
def api(tmp_path, monkeypatch) -> Iterator[KubeApi]:
    with KubeApi() as running:
        running.write_kubeconfig(tmp_path / "kubeconfig")
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        running.objects["/apis/apps/v1/namespaces/scoring/deployments"] = listed(deployment())
        yield running


@pytest.fixture
def pushed(modelyard, packed, registry, base) -> str:
    """The name of an image in the registry."""
    name = f"{registry.host}/people:champion"
    assert modelyard("image", packed.tag, "--to", name, "--base", str(base), "--insecure").code == 0
    return name


def test_an_image_is_deployed_by_digest_at_its_measured_size(modelyard, helm, pushed):
    helm.answers("history", [revision(1, "superseded"), revision(2)])
    done = modelyard("deploy", pushed, "--target-rps", "1000", "--insecure", "--json")
    assert (done.code, done.err) == (0, "")
    digest = helm.values["image"]["digest"]
    assert done.document == {
        "release": "people",
        "namespace": "scoring",
        "image": f"{pushed.removesuffix(':champion')}@{digest}",
        "model": done.document["model"],
        "target_rps": 1000,
        "replicas": 2,
        "most_replicas": 4,
        "cpu": 0.18,
        "memory_mi": 512,
        "cpu_target_percent": 70,
        "revision": 2,
    }
    assert helm.values["autoscaling"]["minReplicas"] == 2
    assert helm.values["resources"]["requests"]["cpu"] == "180m"
    (upgrade,) = (call for call in helm.calls if call.startswith("upgrade"))
    assert upgrade.endswith(f"--description model {done.document['model']} for 1000 requests/s --namespace scoring")


def test_a_bento_is_pushed_first(modelyard, helm, packed, registry, base):
    to = f"{registry.host}/team/scores"
    done = modelyard(
        "deploy", packed.tag, "--to", to, f"cluster.serving_base={base}", "--insecure", "--namespace", "ns"
    )
    assert (done.code, done.err) == (0, "")
    assert helm.values["image"] == {"repository": to, "digest": helm.values["image"]["digest"]}
    assert helm.values["autoscaling"]["enabled"]
    assert "helm test scores --namespace ns --logs" in done.out
    assert helm.calls[-1].endswith("--namespace ns")


def test_the_size_of_before_is_kept_until_another_one_is_asked_for(modelyard, helm, pushed):
    helm.answers("get values", {"global": {"modelyard": {"targetRps": 20_000}}})
    assert modelyard("deploy", pushed, "--insecure", "--json").document["replicas"] == 8
    assert helm.values["global"] == {"modelyard": {"targetRps": 20_000}}
    assert modelyard("deploy", pushed, "--target-rps", "10", "--insecure", "--json").document["replicas"] == 2


def test_written_values_are_what_helm_would_get(modelyard, helm, pushed, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "nothing")
    (tmp_path / "mine.yaml").write_text("ingress: {enabled: true}\n")
    call = ("deploy", pushed, "--target-rps", "1000", "--insecure", "--write", "values.yaml", "cluster.release=blue")
    done = modelyard(*call, "--namespace", "ns", "cluster.serving_values=mine.yaml", "--json")
    assert (done.code, done.err) == (0, "")
    written = yaml.safe_load((tmp_path / "values.yaml").read_text())
    assert written["image"]["digest"].startswith("sha256:")
    assert written["replicas"] == 2
    chart = Path(done.document["command"].split()[3])
    assert (chart / "Chart.yaml").is_file()
    assert done.document["command"] == (
        f"helm upgrade blue {chart} --install --wait --rollback-on-failure --force-conflicts --timeout 15m "
        "--values values.yaml --values mine.yaml --namespace ns"
    )
    assert done.document["without_helm"] == (
        f"helm template blue {chart} --values values.yaml --values mine.yaml --namespace ns --no-hooks"
        " | kubectl apply --server-side --filename -"
    )
    shown = modelyard(*call)
    assert f"\n  helm upgrade blue {chart} --install" in shown.out

    assert modelyard("deploy", pushed, "--insecure", "--namespace", "ns").code == 1
    monkeypatch.undo()
    assert not (helm._folder / "calls").exists()


def test_what_is_missing_is_said_before_anything_is_pushed(modelyard, api, packed, registry, base, monkeypatch):
    call = ("deploy", packed.tag, "--to", f"{registry.host}/early", f"cluster.serving_base={base}", "--insecure")
    api.denied = {("patch", "deployments")}
    assert modelyard(*call).sentence == (
        "namespace scoring: you have no right to patch deployments there; ask for it, or set cluster.namespace to one "
        "that is yours"
    )
    monkeypatch.setenv("PATH", "/nowhere")
    done = modelyard(*call)
    assert (done.code, done.sentence) == (
        2,
        "helm: is not on PATH; install Helm 4 (one binary, from its project's releases) and put it on PATH",
    )
    assert "early" not in registry.stored


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("people:1",), "people:1 has to be pushed first; give --to REGISTRY/NAME"),
        (("localhost/people:1", "--to", "localhost/people"), "localhost/people:1 is an image already; leave --to out"),
    ],
)
def test_what_is_no_target_is_one_sentence(modelyard, arguments, sentence):
    done = modelyard("deploy", *arguments)
    assert (done.code, done.sentence) == (2, sentence)


def test_a_pending_release_names_the_way_out(modelyard, helm, pushed):
    helm.answers("history", [revision(1), revision(2, "pending-upgrade")])
    helm.fails("upgrade", PENDING)
    done = modelyard("deploy", pushed, "--insecure", "--json")
    assert (done.code, done.document["error"]["type"]) == (1, "ReleaseBusy")
    assert done.document["error"]["message"].endswith("get out with: modelyard rollback people")


def test_an_image_that_no_node_can_pull_ends_the_wait(modelyard, helm, api, pushed, registry, monkeypatch):
    monkeypatch.setattr(convergence, "PATIENCE_S", 0.0)
    digest = (
        modelyard("deploy", pushed, "--insecure", "--write", "v.yaml", "--json").document["image"].partition("@")[2]
    )
    image = f"{registry.host}/people@{digest}"
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}": not found'}}
    api.comes(pods_path(), listed(pod(image=image, ready=False, state=waiting)), after=1)
    helm.waits("upgrade")
    helm.fails("upgrade", ROLLED_BACK)
    done = modelyard("deploy", pushed, "--insecure")
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        f"error: pod people-1 on node n1: cannot pull {image} (not found); push it to where the node looks, or name a "
        "pull secret in the chart's imagePullSecrets; it was rolled back to what ran before"
    )


def test_rollback_goes_to_what_ran_before(modelyard, helm):
    helm.answers("history", [revision(1, "superseded", description="model 1"), revision(2), revision(3, "failed")])
    helm.answers("get values", {"image": {"repository": "localhost/people", "tag": "2"}})
    helm.answers("list", [{"name": "people", "chart": "modelyard-serving-0.1.0"}])
    done = modelyard("rollback", "--json")
    assert (done.code, done.document["as_revision"], done.document["image"]) == (0, 2, "localhost/people:2")
    assert "rollback people 2 --wait --force-conflicts --timeout 15m --namespace scoring" in helm.calls
    assert "as revision  2" in modelyard("rollback", "people").out


def test_without_a_name_there_has_to_be_one_release(modelyard, helm):
    assert modelyard("history").sentence == "namespace scoring has no releases; deploy one with: modelyard deploy IMAGE"
    helm.answers("list", [{"name": name, "chart": "modelyard-serving-0.1.0"} for name in ("blue", "green")])
    done = modelyard("rollback")
    assert (done.code, done.sentence) == (2, "namespace scoring has 2 releases; name one of blue, green")


def test_history_shows_what_ran(modelyard, helm):
    helm.answers("history", [revision(1, "superseded"), revision(2, rollback_revision=1)])
    helm.answers("get values", {"image": {"repository": "localhost/people", "digest": "sha256:ab"}})
    (first, second) = modelyard("history", "people", "--json").document["revisions"]
    assert (first["number"], first["status"], first["source"]) == (1, "superseded", None)
    assert (second["source"], second["image"]) == (1, "localhost/people@sha256:ab")
    shown = " ".join(modelyard("history", "people").out.split())
    assert "1 2026-11-25 12:00 superseded Upgrade complete localhost/people@sha256:ab" in shown


def test_status_shows_versions_and_pods(modelyard, api, monkeypatch):
    monkeypatch.setattr(status, "SECONDS", 0.01)
    monkeypatch.setattr(status.Cluster, "get", lambda *_: "")
    api.objects[pods_path()] = listed(pod("a"), pod("b", ready=False))
    api.objects["/apis/autoscaling/v2/namespaces/scoring/horizontalpodautoscalers/people"] = autoscaler(None)
    done = modelyard("status", "people", "--json")
    assert (done.code, done.err) == (0, "")
    document = done.document
    assert [(each["name"], each["state"], each["requests"]) for each in document["pods"]] == [
        ("a", "ready", 0),
        ("b", "starting", 0),
    ]
    assert document["tracks"][0]["ready"] == 1
    assert document["autoscaler"]["wanted"] == 3
    shown = modelyard("status", "people").out
    assert "autoscaler  3 pods between 2 and 4, CPU not measured of a target of 70 %" in shown
    assert "1 of 2" in shown


def test_undeploy_takes_only_what_is_there(modelyard, helm):
    assert modelyard("undeploy", "people", "--json").document == {
        "release": "people",
        "namespace": "scoring",
        "state": "removed",
    }
    assert helm.calls[-1].startswith("uninstall people ")
    helm.fails("history", "Error: release: not found\n")
    helm.answers("list", [{"name": "people", "chart": "modelyard-serving-0.1.0"}])
    done = modelyard("undeploy", "peple")
    assert (done.code, done.sentence) == (1, "namespace scoring: has no release 'peple'; did you mean 'people'?")


def test_no_cluster_is_one_sentence(modelyard, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    done = modelyard("status", "people")
    assert (done.code, done.sentence.startswith("there is no cluster: Invalid kube-config file")) == (1, True)
    assert json.loads(modelyard("status", "people", "--json").out)["error"]["type"] == "ClusterError"
