"""Every variant of both charts, as a real API server takes it: no field that it does not know, and no warning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.bed.shell import BedError, answers, run, wait
from cluster.place import Cluster, Namespace
from helm_charts import CHARTS, variants

pytestmark = pytest.mark.cluster

TRAINING = "modelyard-training"
VARIANTS = [(chart, name) for chart in ("modelyard-serving", TRAINING) for name in variants(chart)]
# types of objects that come with something else; each module in the newest version that the module proxy gave out
TYPES = {
    "github.com/ray-project/kuberay/ray-operator@v1.6.2": {"config/crd/bases": ["ray.io_rayjobs"]},
    "sigs.k8s.io/gateway-api@v1.4.0": {"config/crd/standard": ["gateway.networking.k8s.io_httproutes"]},
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": {
        "example/prometheus-operator-crd": [
            "monitoring.coreos.com_servicemonitors",
            "monitoring.coreos.com_prometheusrules",
        ]
    },
}


def files(folder: Path) -> list[Path]:
    """Returns the files with these types, out of the modules."""
    found = []
    for module, places in TYPES.items():
        downloaded = json.loads(run("go", "mod", "download", "-json", module, cwd=folder))["Dir"]
        found += [Path(downloaded, place, f"{name}.yaml") for place, names in places.items() for name in names]
    return found


@pytest.fixture(scope="module")
def types(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The types of objects that the charts may make, without the programs that do something about them."""
    if not cluster.bed:
        pytest.skip("types of objects are there for a whole cluster, and this one is not ours")
    with cluster.outside():
        found = files(tmp_path_factory.mktemp("modules"))
    names = [f"crd/{yaml.safe_load(file.read_text())['metadata']['name']}" for file in found]
    try:
        for file in found:  # too long for what `apply` remembers of it
            cluster.kubectl("create", "--filename", file)
        # `kubectl wait` takes no type that has no status yet
        wait("a type", lambda: answers("kubectl", "wait", "--for=condition=Established", *names, "--timeout=30s"))
        yield
    finally:
        cluster.kubectl("delete", "--ignore-not-found", *names)


def rendered(namespace: Namespace, folder: Path, chart: str, variant: str, **values: Any) -> list[dict[str, Any]]:
    """Returns what a chart makes of a variant's values."""
    (folder / "values.yaml").write_text(yaml.safe_dump(variants(chart)[variant] | values))
    words = ("template", "adult", CHARTS / chart, "--values", folder / "values.yaml")
    return [document for document in yaml.safe_load_all(namespace.helm(*words)) if document]


def try_out(namespace: Namespace, *manifests: dict[str, Any]) -> None:
    """Lets the API server take objects without keeping them."""
    for pod in (each["spec"] for each in manifests if each["kind"] == "Pod"):
        pod["serviceAccountName"] = "default"  # the chart's own is not kept either
    items = {"apiVersion": "v1", "kind": "List", "items": manifests}
    words = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")
    namespace.kubectl("create", *words, "--filename", "-", text=json.dumps(items))


@pytest.mark.usefixtures("types")
@pytest.mark.parametrize(("chart", "variant"), VARIANTS, ids=[f"{chart}-{name}" for chart, name in VARIANTS])
def test_the_api_server_takes_every_variant(namespace: Namespace, tmp_path: Path, chart: str, variant: str) -> None:
    try_out(namespace, *rendered(namespace, tmp_path, chart, variant))


@pytest.mark.usefixtures("types")
@pytest.mark.parametrize("mode", ["K8sJobMode", "HTTPMode"])
def test_pods_that_kuberay_makes_are_restricted(namespace: Namespace, tmp_path: Path, mode: str) -> None:
    made = rendered(namespace, tmp_path, TRAINING, "kuberay", kuberay={"submissionMode": mode})
    (ray,) = (each["spec"] for each in made if each["kind"] == "RayJob")
    cluster = ray["rayClusterSpec"]
    templates = [cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]]
    templates += [ray["submitterPodTemplate"]] if mode == "K8sJobMode" else []
    for template in templates:
        named = {"name": "ray", **template["metadata"]}
        try_out(namespace, {"apiVersion": "v1", "kind": "Pod", **template, "metadata": named})


@pytest.mark.usefixtures("types")
def test_the_api_server_finds_what_is_wrong(namespace: Namespace, tmp_path: Path) -> None:
    """The control: a field that nobody knows, of Kubernetes and of KubeRay, and one that another one forbids."""
    made = {each["kind"]: each for each in rendered(namespace, tmp_path, TRAINING, "minimal")}
    made |= {each["kind"]: each for each in rendered(namespace, tmp_path, TRAINING, "kuberay")}
    for kind in ("Job", "RayJob"):
        try_out(namespace, made[kind])
        with pytest.raises(BedError, match=r'unknown field "(spec\.)?tries"'):
            try_out(namespace, made[kind] | {"spec": made[kind]["spec"] | {"tries": 3}})
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2]}}
    policy = {"podFailurePolicy": {"rules": [rule]}}
    with pytest.raises(BedError, match="podReplacementPolicy"):
        try_out(namespace, made["Job"] | {"spec": made["Job"]["spec"] | policy})
