from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from helm_charts import CHARTS, NAMESPACE, RELEASE, Manifest, one, pods, render, run_helm, variants
from modelyard.config.models import ServingSettings
from modelyard.monitoring.rules import FILES
from modelyard.monitoring.rules import render as render_rules
from pod_security import violations

CHART = "modelyard-serving"
VARIANTS = variants(CHART)
DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
IMAGE = {"image": {"repository": "registry.local/adult", "digest": DIGEST}}
SELECTOR = {
    "app.kubernetes.io/name": CHART,
    "app.kubernetes.io/instance": RELEASE,
    "app.kubernetes.io/component": "serving",
}
STABLE, CANARY = ({**SELECTOR, "modelyard.io/track": track} for track in ("stable", "canary"))


def rendered(**values: Any) -> list[Manifest]:
    return render(CHART, IMAGE | values)


def container(manifests: list[Manifest]) -> Manifest:
    stable = next(it for it in manifests if it["kind"] == "Deployment")
    (found,) = stable["spec"]["template"]["spec"]["containers"]
    return dict(found)


def settings(manifests: list[Manifest]) -> dict[str, Any]:
    (text,) = [it["value"] for it in container(manifests)["env"] if it["name"] == "MODELYARD_SERVING"]
    return dict(json.loads(text))


def test_there_are_variants_enough() -> None:
    assert len(VARIANTS) >= 6


@pytest.mark.parametrize("variant", ["defaults", *VARIANTS])
def test_lint_finds_nothing(variant: str) -> None:
    values = VARIANTS.get(variant, {})
    code, printed = run_helm("lint", "--strict", CHARTS / CHART, values=values)
    assert code == 0, printed


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_of_a_variant_says_whose_it_is(variant: str) -> None:
    manifests = render(CHART, VARIANTS[variant])
    for manifest in manifests:
        metadata, labels = manifest["metadata"], manifest["metadata"]["labels"]
        assert metadata["namespace"] == NAMESPACE
        assert labels.items() >= {"app.kubernetes.io/name": CHART, "app.kubernetes.io/instance": RELEASE}.items()
        if "helm.sh/hook" not in metadata.get("annotations", {}):
            assert labels.items() >= SELECTOR.items()
            assert labels["helm.sh/chart"] == f"{CHART}-0.1.0"
            assert labels["app.kubernetes.io/managed-by"] == "Helm"
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_pod_is_restricted_and_writes_to_tmp_only(variant: str) -> None:
    found = list(pods(render(CHART, VARIANTS[variant])))
    assert len(found) == 2 + ("canary" in VARIANTS[variant])
    assert [violations(pod["spec"]) for pod in found] == [[]] * len(found)
    for pod in found[:-1]:
        (tmp,) = [it for it in pod["spec"]["volumes"] if "emptyDir" in it]
        assert tmp["emptyDir"]["sizeLimit"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_services_select_the_tracks_and_never_the_pod_of_the_test(variant: str) -> None:
    manifests = render(CHART, VARIANTS[variant])
    services = {it["metadata"]["name"]: it["spec"] for it in manifests if it["kind"] == "Service"}
    headless = [spec for spec in services.values() if "clusterIP" in spec]
    assert [spec["selector"] for spec in services.values()] == [SELECTOR, STABLE, CANARY, *([SELECTOR] * len(headless))]
    assert [(spec["clusterIP"], spec["ports"][0]["port"]) for spec in headless] == [("None", 3000)] * len(headless)
    assert len(headless) == (variant == "placed")
    assert all(port["protocol"] == "TCP" for it in manifests if it["kind"] == "Service" for port in it["spec"]["ports"])
    test = one(manifests, "Pod")
    assert not test["metadata"]["labels"].items() >= SELECTOR.items()
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert all(it["spec"][key]["matchLabels"] == SELECTOR for it in manifests if it["kind"] == kind)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_deployment_selects_its_track_by_labels_that_never_change(variant: str) -> None:
    manifests = render(CHART, VARIANTS[variant])
    deployments = [it["spec"] for it in manifests if it["kind"] == "Deployment"]
    assert [it["selector"]["matchLabels"] for it in deployments] == [STABLE, CANARY][: len(deployments)]
    for spec in deployments:
        labels = spec["template"]["metadata"]["labels"]
        assert labels.items() >= spec["selector"]["matchLabels"].items()
        # else a new version of the chart alone would replace every pod
        assert "helm.sh/chart" not in labels
        assert "app.kubernetes.io/version" not in labels


def test_replicas_are_left_to_the_autoscaler() -> None:
    fixed = rendered(replicas=3)
    assert one(fixed, "Deployment")["spec"]["replicas"] == 3
    assert "HorizontalPodAutoscaler" not in {it["kind"] for it in fixed}
    scaled = rendered(autoscaling={"enabled": True, "minReplicas": 3})
    assert "replicas" not in one(scaled, "Deployment")["spec"]
    autoscaler = one(scaled, "HorizontalPodAutoscaler")
    assert autoscaler["apiVersion"] == "autoscaling/v2"
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == one(scaled, "Deployment")["metadata"]["name"]
    assert autoscaler["spec"]["minReplicas"] == 3
    assert set(autoscaler["spec"]["behavior"]) == {"scaleUp", "scaleDown"}
    (metric,) = autoscaler["spec"]["metrics"]
    assert metric["containerResource"]["container"] == container(scaled)["name"]
    # headroom: what is not used until further pods answer
    assert metric["containerResource"]["target"]["averageUtilization"] <= 70


@pytest.mark.parametrize(
    ("drain", "request_seconds", "sleep", "seconds"), [(5, 20, 0, 30), (0, 1, 0, 6), (2.5, 30, 0, 38), (7, 60, 10, 82)]
)
def test_the_grace_period_is_longer_than_all_that_the_end_may_take(
    drain: float, request_seconds: int, sleep: int, seconds: int
) -> None:
    termination = {"requestSeconds": request_seconds, "preStopSleepSeconds": sleep}
    manifests = rendered(serving={"drain_seconds": drain}, termination=termination)
    period = one(manifests, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert period == seconds > drain + request_seconds + sleep
    lifecycle = {"preStop": {"sleep": {"seconds": sleep}}} if sleep else None
    assert container(manifests).get("lifecycle") == lifecycle


@pytest.mark.parametrize(
    ("stable", "weight", "canary"),
    [(2, 10, 1), (9, 10, 1), (10, 20, 3), (6, 20, 2), (4, 50, 4), (3, 60, 5), (1, 1, 1), (1, 99, 99), (0, 50, 1)],
)
def test_the_canary_has_the_pods_that_its_weight_asks_for(stable: int, weight: int, canary: int) -> None:
    track = {"enabled": True, "weight": weight, "image": {"digest": OTHER}}
    manifests = rendered(replicas=stable, canary=track)
    assert one(manifests, "Deployment", f"{RELEASE}-canary")["spec"]["replicas"] == canary


def test_only_the_canary_counts_values_in_bins_that_it_is_given() -> None:
    track = {"enabled": True, "image": {"digest": OTHER}, "predictionBins": [1, 2.5]}
    manifests = rendered(canary=track)
    assert "prediction_bins" not in settings(manifests)
    canary = [one(manifests, "Deployment", f"{RELEASE}-canary")]
    assert settings(canary) == settings(manifests) | {"prediction_bins": [1, 2.5]}
    assert settings(rendered(canary=track | {"predictionBins": []})) == settings(manifests)


def test_the_canary_runs_its_own_image_and_as_many_pods_as_it_is_told() -> None:
    manifests = rendered(canary={"enabled": True, "replicas": 7, "image": {"digest": OTHER}})
    canary = one(manifests, "Deployment", f"{RELEASE}-canary")["spec"]
    assert canary["replicas"] == 7
    assert canary["template"]["spec"]["containers"][0]["image"] == f"registry.local/adult@{OTHER}"
    assert container(manifests)["image"] == f"registry.local/adult@{DIGEST}"


def test_a_route_shares_by_weight() -> None:
    route = {"enabled": True, "parentRefs": [{"name": "public"}]}
    alone = one(rendered(httpRoute=route), "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert [(it["name"], it["weight"]) for it in alone] == [(f"{RELEASE}-stable", 100)]
    track = {"enabled": True, "weight": 30, "image": {"digest": OTHER}}
    shared = one(rendered(httpRoute=route, canary=track), "HTTPRoute")["spec"]["rules"][0]["backendRefs"]
    assert [(it["name"], it["weight"]) for it in shared] == [(f"{RELEASE}-stable", 70), (f"{RELEASE}-canary", 30)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_service_takes_the_settings_that_it_is_given(variant: str) -> None:
    given = ServingSettings.model_validate(settings(render(CHART, VARIANTS[variant])))
    assert given.drain_seconds == VARIANTS[variant].get("serving", {}).get("drain_seconds", 5)
    assert given.metrics_port == (VARIANTS[variant].get("metrics", {}).get("port", 9090) or None)


def test_pods_are_replaced_when_their_settings_change_and_only_then() -> None:
    def template(**values: Any) -> Manifest:
        return dict(one(rendered(**values), "Deployment")["spec"]["template"])

    before = template()
    assert template(replicas=5, service={"port": 81}, networkPolicy={"enabled": False}) == before
    after = template(serving={"max_rows": 5})
    checksum = "checksum/config"
    assert after["metadata"]["annotations"][checksum] != before["metadata"]["annotations"][checksum]


def test_keys_are_a_mounted_folder_so_that_they_rotate() -> None:
    assert "keys" not in json.dumps(one(rendered(), "Deployment"))
    manifests = rendered(apiKeys={"existingSecret": "adult-keys", "key": "digests"})
    (mount,) = [it for it in container(manifests)["volumeMounts"] if it["name"] == "keys"]
    assert mount == {"name": "keys", "mountPath": "/etc/modelyard/keys", "readOnly": True}
    volumes = one(manifests, "Deployment")["spec"]["template"]["spec"]["volumes"]
    (secret,) = [it["secret"] for it in volumes if it["name"] == "keys"]
    assert secret == {"secretName": "adult-keys", "defaultMode": 0o444, "items": [{"key": "digests", "path": "keys"}]}
    assert settings(manifests)["keys_file"] == "/etc/modelyard/keys/keys"


def test_probes_ask_what_they_mean() -> None:
    found = container(rendered())
    paths = {"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {name: found[name]["httpGet"] for name in paths} == {
        name: {"path": path, "port": "http"} for name, path in paths.items()
    }


def test_sizes_are_promised_and_the_cpu_is_not_throttled() -> None:
    resources = container(rendered(resources={"requests": {"cpu": "250m"}}))["resources"]
    assert resources["requests"]["cpu"] == "250m"
    assert "cpu" not in resources["limits"]
    assert resources["limits"]["memory"] == resources["requests"]["memory"]


def test_pods_are_spread_and_leave_lost_nodes_soon() -> None:
    spec = one(rendered(lostNodeSeconds=7), "Deployment")["spec"]["template"]["spec"]
    assert [it["topologyKey"] for it in spec["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]
    for constraint in spec["topologySpreadConstraints"]:
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
        assert constraint["labelSelector"]["matchLabels"] == STABLE
    assert {it["key"].split("/")[1]: it["tolerationSeconds"] for it in spec["tolerations"]} == {
        "not-ready": 7,
        "unreachable": 7,
    }
    budget = one(rendered(), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_name_of_ones_own_is_everywhere() -> None:
    manifests = render(CHART, VARIANTS["placed"])
    assert {it["metadata"]["name"].split("-")[0] for it in manifests} == {"income"}
    assert one(manifests, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == "adult"


def test_a_cluster_that_is_too_old_is_refused() -> None:
    code, printed = run_helm("template", CHARTS / CHART, "--kube-version", "1.29.9", values=IMAGE)
    assert code != 0
    assert "1.30" in printed


@pytest.mark.parametrize("seconds", [0.0001, 0.00025, 1])
def test_rules_are_filled_with_the_values_of_the_release(seconds: float) -> None:
    drift = {
        "window": "2h",
        "hold": "0s",
        "index": 0.3,
        "leastRows": 5000,
        "unseenShare": 0.01,
        "missingShare": 0.02,
    }
    objectives = {"availability": 0.9995, "latencyShare": 0.999, "latencySeconds": seconds, "leastRequests": 50}
    metrics = {"rules": {"enabled": True, "runbooks": "https://a.org/b", "drift": drift, "objectives": objectives}}
    manifests = rendered(metrics=metrics)
    found = {name: one(manifests, "PrometheusRule", f"{RELEASE}-{name}")["spec"] for name in FILES}
    given = {
        "NAMESPACE": NAMESPACE,
        "RELEASE": RELEASE,
        "RUNBOOKS": "https://a.org/b",
        "WINDOW": "2h",
        "HOLD": "0s",
        "DRIFT_INDEX": "0.3",
        "DRIFT_ROWS": "5000",
        "UNSEEN_SHARE": "0.01",
        "MISSING_SHARE": "0.02",
        "AVAILABILITY": "0.9995",
        "LATENCY_SHARE": "0.999",
        # as the service calls its bucket
        "LATENCY_SECONDS": str(float(seconds)),
        "LEAST_REQUESTS": "50",
    }
    assert found == {name: yaml.safe_load(text) for name, text in render_rules(given).items()}


def test_without_values_the_rules_have_the_defaults_of_the_library() -> None:
    manifests = rendered(metrics={"rules": {"enabled": True}})
    found = {name: one(manifests, "PrometheusRule", f"{RELEASE}-{name}")["spec"] for name in FILES}
    assert found == {
        name: yaml.safe_load(text) for name, text in render_rules({"NAMESPACE": NAMESPACE, "RELEASE": RELEASE}).items()
    }


def test_dashboards_pass_as_they_are(tmp_path: Path) -> None:
    copytree(CHARTS / CHART, tmp_path / CHART)
    (tmp_path / CHART / "files" / "dashboards" / "service.json").write_text('{"title": "{{ service }}"}')
    values = IMAGE | {"metrics": {"rules": {"enabled": True}, "dashboards": {"enabled": True}}}
    manifests = render(tmp_path / CHART, values)
    dashboard = one(manifests, "ConfigMap", f"{RELEASE}-service")
    assert json.loads(dashboard["data"]["service.json"]) == {"title": "{{ service }}"}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {"PrometheusRule", "ConfigMap"} & {it["kind"] for it in render(tmp_path / CHART, IMAGE)} == set()
