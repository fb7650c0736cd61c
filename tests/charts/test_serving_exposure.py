"""Who reaches a service, and what: policies, routes, metrics and what the notes say of them."""

from __future__ import annotations

from typing import Any

import pytest

from helm_charts import CHARTS, NAMESPACE, RELEASE, Manifest, one, render, run_helm

CHART = "modelyard-serving"
IMAGE = {"image": {"repository": "registry.local/adult", "digest": f"sha256:{'1' * 64}"}}
KEYS = {"existingSecret": "adult-keys", "clientSecret": "adult-client", "clientKey": "token"}
INGRESS = {"enabled": True, "hosts": ["adult.example.org"]}
ROUTE = {"enabled": True, "parentRefs": [{"name": "public"}]}
PREDICTION = {("/api/v1", "Prefix"), ("/predict", "Exact"), ("/v2", "Prefix")}
DOCS = {("/docs", "Exact"), ("/static-offline-docs", "Prefix"), ("/openapi.json", "Exact")}


def rendered(**values: Any) -> list[Manifest]:
    return render(CHART, IMAGE | values)


def paths(manifests: list[Manifest]) -> set[tuple[str, str]]:
    """What is let through, which an Ingress and an HTTPRoute of the same values agree on."""
    (rule,) = one(manifests, "Ingress")["spec"]["rules"]
    by_ingress = {(it["path"], it["pathType"]) for it in rule["http"]["paths"]}
    (route,) = one(manifests, "HTTPRoute")["spec"]["rules"]
    matches = [it["path"] for it in route["matches"]]
    assert by_ingress == {(it["value"], it["type"].removeprefix("Path")) for it in matches}
    return by_ingress


def test_nothing_is_let_in_from_outside_unless_asked_for() -> None:
    assert {it["kind"] for it in rendered()} == {
        "Deployment",
        "NetworkPolicy",
        "Pod",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }


@pytest.mark.parametrize("metrics_port", [0, 9090])
def test_routes_let_predictions_through_and_never_the_metrics(metrics_port: int) -> None:
    outside = {"ingress": INGRESS, "httpRoute": ROUTE, "metrics": {"port": metrics_port}}
    assert paths(rendered(**outside)) == PREDICTION
    assert paths(rendered(**outside, paths={"docs": True})) == PREDICTION | DOCS
    extra = {"extra": [{"path": "/reports", "type": "Prefix"}]}
    assert paths(rendered(**outside, paths=extra)) == PREDICTION | {("/reports", "Prefix")}


def test_only_the_service_over_all_tracks_can_be_reached_from_outside_the_cluster() -> None:
    manifests = rendered(service={"type": "LoadBalancer", "annotations": {"a.org/b": "c"}})
    services = [it for it in manifests if it["kind"] == "Service"]
    assert [it["spec"]["type"] for it in services] == ["LoadBalancer", "ClusterIP", "ClusterIP"]
    assert [it["metadata"].get("annotations") for it in services] == [{"a.org/b": "c"}, None, None]
    # the metrics' port asks for no key
    assert {port["name"] for it in services for port in it["spec"]["ports"]} == {"http"}


def test_the_pods_connect_to_nobody_and_only_scrapers_reach_the_metrics() -> None:
    policy = one(rendered(), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    service, metrics = policy["ingress"]
    assert service == {"ports": [{"port": 3000, "protocol": "TCP"}]}
    assert metrics["ports"] == [{"port": 9090, "protocol": "TCP"}]
    assert len(metrics["from"]) == 2
    peers = [{"podSelector": {"matchLabels": {"app": "shop"}}}]
    rule = {"ports": [{"port": 53, "protocol": "UDP"}]}
    named = rendered(networkPolicy={"clients": peers, "egress": [rule]}, metrics={"port": 0})
    policy = one(named, "NetworkPolicy")["spec"]
    assert policy["ingress"] == [{"ports": [{"port": 3000, "protocol": "TCP"}], "from": peers}]
    assert policy["egress"] == [rule]


def test_no_pod_has_a_token() -> None:
    account = one(rendered(serviceAccount={"annotations": {"cloud/role": "reader"}}), "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert account["metadata"]["annotations"] == {"cloud/role": "reader"}


@pytest.mark.parametrize(
    ("port", "keys", "target", "presents"),
    [(9090, KEYS, "metrics", False), (0, {}, "http", False), (0, KEYS, "http", True)],
    ids=["own port", "no keys", "behind keys"],
)
def test_prometheus_presents_a_key_where_it_needs_one(
    port: int, keys: dict[str, str], target: str, presents: bool
) -> None:
    manifests = rendered(metrics={"port": port, "serviceMonitor": {"enabled": True}}, apiKeys=keys)
    monitor = one(manifests, "ServiceMonitor")["spec"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["targetPort"] == target
    assert endpoint["relabelings"] == [{"action": "replace", "targetLabel": "release", "replacement": RELEASE}]
    credentials = {"type": "Bearer", "credentials": {"name": "adult-client", "key": "token"}}
    assert endpoint.get("authorization") == (credentials if presents else None)
    selector = monitor["selector"]["matchLabels"].items()
    selected = [it for it in manifests if it["kind"] == "Service" and it["metadata"]["labels"].items() >= selector]
    assert [it["metadata"]["name"] for it in selected] == [RELEASE]
    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {it["name"] for it in container["ports"]} == ({"http", "metrics"} if port else {"http"})


def test_annotations_for_scraping_name_the_port() -> None:
    def annotations(**metrics: Any) -> dict[str, str]:
        found = one(rendered(metrics=metrics), "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return {name: text for name, text in found.items() if name.startswith("prometheus.io/")}

    assert annotations() == {}
    for port, told in ((9100, "9100"), (0, "3000")):
        found = annotations(port=port, scrapeAnnotations=True)
        assert found == {"prometheus.io/scrape": "true", "prometheus.io/port": told, "prometheus.io/path": "/metrics"}


def notes(**values: Any) -> str:
    code, printed = run_helm(
        "install", RELEASE, CHARTS / CHART, "--namespace", NAMESPACE, "--dry-run=client", values=IMAGE | values
    )
    assert code == 0, printed
    return printed.split("NOTES:")[1]


def test_the_notes_say_the_next_commands() -> None:
    printed = notes(ingress=INGRESS)
    for command in (
        "kubectl rollout status --namespace scoring deployment/adult",
        "helm test adult --namespace scoring --logs",
        "kubectl port-forward --namespace scoring service/adult 3000:80",
        "helm rollback adult --namespace scoring",
        "http://adult.example.org/api/v1/predict",
    ):
        assert command in printed
    assert "WARNING" not in printed


def test_the_notes_warn_of_what_is_not_safe() -> None:
    printed = notes(
        image={"repository": "registry.local/adult", "tag": "latest"},
        serving={"drain_seconds": 0},
        networkPolicy={"enabled": False},
    )
    assert printed.count("WARNING") == 3


def test_the_notes_say_what_share_a_canary_can_get() -> None:
    canary = {"enabled": True, "weight": 10, "image": {"tag": "new"}}
    assert "1 of its pods beside 2; its share of the requests goes by these numbers" in notes(canary=canary)
    assert "the HTTPRoute sends it 10 % of the requests" in notes(canary=canary, httpRoute=ROUTE)
