"""What an upgrade says of `replicas`, from the live Deployment that Helm looks up.

The API server is a few documents behind HTTP, because only the fields of one object decide; that it all holds together
on a real one is for the tests on a cluster.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from helm_charts import NAMESPACE, RELEASE, Manifest, one, render

CHART = "modelyard-serving"
IMAGE = {"image": {"repository": "registry.local/adult", "digest": f"sha256:{'1' * 64}"}}
SCALED = IMAGE | {"autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 50}}
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{RELEASE}"
GROUPS = {
    "apps/v1": ["Deployment"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
}
CORE = ["Pod", "Service", "ServiceAccount"]


def resources(version: str, kinds: list[str]) -> Manifest:
    listed = [{"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["get"]} for kind in kinds]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": listed}


def group(version: str) -> Manifest:
    name, short = version.split("/")
    found = {"groupVersion": version, "version": short}
    return {"name": name, "versions": [found], "preferredVersion": found}


DISCOVERY = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.2"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": resources("v1", CORE),
    "/apis": {"kind": "APIGroupList", "groups": [group(version) for version in GROUPS]},
    **{f"/apis/{version}": resources(version, kinds) for version, kinds in GROUPS.items()},
}
REPLICAS = {"f:spec": {"f:replicas": {}}}
OTHERS = {"f:spec": {"f:template": {}}}


def entry(manager: str, operation: str, fields: Manifest, subresource: str = "") -> Manifest:
    where = {"subresource": subresource} if subresource else {}
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields} | where


HELM = entry("helm", "Apply", {"f:spec": {**REPLICAS["f:spec"], **OTHERS["f:spec"]}})
HELM_WITHOUT = entry("helm", "Apply", OTHERS)
HELM_BY_CLIENT = entry("helm", "Update", HELM["fieldsV1"])
AUTOSCALER = entry("kube-controller-manager", "Update", REPLICAS, "scale")
STATUS = entry("kube-controller-manager", "Update", {"f:status": {}}, "status")


class _Server(BaseHTTPRequestHandler):
    documents: ClassVar[dict[str, Any]] = {}

    def do_GET(self) -> None:
        found = self.documents.get(self.path.split("?")[0])
        failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        body = json.dumps(found or failure).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        path = tmp_path_factory.mktemp("kube") / "config"
        address = f"http://127.0.0.1:{server.server_port}"
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        path.write_text(
            yaml.safe_dump(
                {
                    "clusters": [{"name": "test", "cluster": {"server": address}}],
                    "users": [{"name": "test", "user": {}}],
                    "contexts": [context],
                    "current-context": "test",
                }
            )
        )
        yield path
        server.shutdown()


def upgraded(kubeconfig: Path, values: Manifest, replicas: int | None, *managers: Manifest) -> list[Manifest]:
    """What is made of values where a Deployment of so many pods runs, whose fields have these managers."""
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": RELEASE, "namespace": NAMESPACE, "managedFields": list(managers)},
        "spec": {"replicas": replicas},
    }
    _Server.documents = DISCOVERY | ({} if replicas is None else {DEPLOYMENTS: live})
    return render(
        CHART, values, "--is-upgrade", "--dry-run=server", "--disable-openapi-validation", KUBECONFIG=str(kubeconfig)
    )


@pytest.mark.parametrize(
    ("live", "managers", "expected"),
    [
        (None, [], None),
        (7, [HELM, STATUS], 7),
        (1, [HELM, STATUS], 2),
        (9, [HELM_WITHOUT, AUTOSCALER, STATUS], None),
        (9, [HELM, AUTOSCALER, STATUS], None),
        (1, [HELM_WITHOUT, STATUS], None),
        (7, [HELM_BY_CLIENT, STATUS], 7),
        (9, [entry("helm", "Update", OTHERS), AUTOSCALER, STATUS], 9),
    ],
    ids=[
        "nothing runs",
        "only Helm owns it",
        "below the least",
        "the autoscaler owns it",
        "both own it",
        "nobody owns it",
        "patched by the client",
        "patched by the client, scaled since",
    ],
)
def test_turning_the_autoscaler_on_keeps_the_pods_that_run(
    kubeconfig: Path, live: int | None, managers: list[Manifest], expected: int | None
) -> None:
    manifests = upgraded(kubeconfig, SCALED, live, *managers)
    assert one(manifests, "Deployment")["spec"].get("replicas") == expected


def test_without_the_autoscaler_the_value_counts(kubeconfig: Path) -> None:
    manifests = upgraded(kubeconfig, IMAGE | {"replicas": 3}, 9, HELM_WITHOUT, AUTOSCALER)
    assert one(manifests, "Deployment")["spec"]["replicas"] == 3


def test_a_canary_is_sized_by_the_stable_pods_that_run(kubeconfig: Path) -> None:
    canary = {"canary": {"enabled": True, "weight": 20, "image": {"tag": "new"}}}
    manifests = upgraded(kubeconfig, SCALED | canary, 16, HELM_WITHOUT, AUTOSCALER)
    assert "replicas" not in one(manifests, "Deployment", RELEASE)["spec"]
    assert one(manifests, "Deployment", f"{RELEASE}-canary")["spec"]["replicas"] == 4
