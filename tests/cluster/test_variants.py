"""Every variant of both charts, as a real API server takes it: no field that it does not know, and no warning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.bed.shell import BedError
from cluster.place import Namespace
from helm_charts import CHARTS, variants

pytestmark = pytest.mark.cluster

TRAINING = "modelyard-training"
VARIANTS = [(chart, name) for chart in ("modelyard-serving", TRAINING) for name in variants(chart)]


def rendered(namespace: Namespace, folder: Path, chart: str, variant: str, **values: Any) -> list[dict[str, Any]]:
    """Returns what a chart makes of a variant's values."""
    (folder / "values.yaml").write_text(yaml.safe_dump(variants(chart)[variant] | values))
    words = ("template", "adult", CHARTS / chart, "--values", folder / "values.yaml")
    return [document for document in yaml.safe_load_all(namespace.helm(*words)) if document]


def try_out(namespace: Namespace, *manifests: dict[str, Any]) -> list[str]:
    """Lets the API server take objects without keeping them, and returns what it says of each."""
    for pod in (each["spec"] for each in manifests if each["kind"] == "Pod"):
        pod["serviceAccountName"] = "default"  # the chart's own is not kept either
    items = {"apiVersion": "v1", "kind": "List", "items": manifests}
    words = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")
    return namespace.kubectl("create", *words, "--filename", "-", text=json.dumps(items)).splitlines()


@pytest.mark.usefixtures("types")
@pytest.mark.parametrize(("chart", "variant"), VARIANTS, ids=[f"{chart}-{name}" for chart, name in VARIANTS])
def test_the_api_server_takes_every_variant(namespace: Namespace, tmp_path: Path, chart: str, variant: str) -> None:
    manifests = rendered(namespace, tmp_path, chart, variant)
    assert len(try_out(namespace, *manifests)) == len(manifests)


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
        assert try_out(namespace, {"apiVersion": "v1", "kind": "Pod", **template, "metadata": named})


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
