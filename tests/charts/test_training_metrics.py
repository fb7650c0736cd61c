"""What Prometheus and Grafana get of a search, by both engines."""

from __future__ import annotations

import pytest

from helm_charts import CHARTS, RELEASE, Manifest, one, render, run_helm, variants
from modelyard_tuning.driver import Order
from modelyard_tuning.pod import FIRST_PORT, WORKER_PORTS

CHART = "modelyard-training"
VARIANTS = variants(CHART)
WATCHED = ["monitored", "kuberay"]


def metrics_port(variant: str) -> int:
    return int(VARIANTS[variant].get("metrics", {}).get("port", 9090))


def driver_pod(manifests: list[Manifest]) -> tuple[Manifest, list[str]]:
    """The template of the pod with the driver, and the driver's command line."""
    for found in manifests:
        if found["kind"] == "RayJob":
            entrypoint = found["spec"]["entrypoint"].split()
            return found["spec"]["rayClusterSpec"]["headGroupSpec"]["template"], entrypoint[3:]
        if found["kind"] in ("Job", "CronJob"):
            spec = found["spec"] if found["kind"] == "Job" else found["spec"]["jobTemplate"]["spec"]
            arguments = spec["template"]["spec"]["containers"][0]["args"]
            return spec["template"], [it for it in arguments if not it.startswith(("--head", "--cpus", "--object"))]
    raise AssertionError("there is no driver")


def ports(template: Manifest) -> dict[str, int]:
    return {it["name"]: it["containerPort"] for it in template["spec"]["containers"][0].get("ports", [])}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_driver_is_told_the_port_that_its_pod_names_and_scrapers_reach(variant: str) -> None:
    manifests, port = render(CHART, VARIANTS[variant]), metrics_port(variant)
    template, told = driver_pod(manifests)
    assert Order.parse(told).metrics_port == (port or None)
    assert ports(template).get("search-metrics", 0) == port
    for policy in (it["spec"] for it in manifests if it["kind"] == "NetworkPolicy"):
        rules = [it for it in policy["ingress"] if {"port": port, "protocol": "TCP"} in it.get("ports", [])]
        assert len(rules) == bool(port)
        given = VARIANTS[variant].get("networkPolicy", {}).get("scrapers")
        assert all(it["from"] == given if given else len(it["from"]) == 2 for it in rules)


@pytest.mark.parametrize("variant", WATCHED)
def test_the_pod_of_the_driver_alone_is_scraped_under_the_name_of_its_release(variant: str) -> None:
    manifests = render(CHART, VARIANTS[variant])
    monitor = one(manifests, "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [{"action": "replace", "targetLabel": "release", "replacement": RELEASE}]
    template, _ = driver_pod(manifests)
    assert endpoint["port"] in ports(template)
    # what Kubernetes and KubeRay add themselves
    added = {"monitored": {"batch.kubernetes.io/job-completion-index": "0"}, "kuberay": {"ray.io/node-type": "head"}}
    head = template["metadata"]["labels"] | added[variant]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= head.items()
    assert added[variant].items() <= monitor["spec"]["selector"]["matchLabels"].items()


def test_kuberays_own_ports_stay_on_the_heads_service() -> None:
    ray = one(render(CHART, VARIANTS["kuberay"]), "RayJob")["spec"]["rayClusterSpec"]
    head, (workers,) = ray["headGroupSpec"]["template"], ray["workerGroupSpecs"]
    assert ports(head) == {"gcs-server": 6379, "dashboard": 8265, "client": 10001, "search-metrics": 9090}
    assert ports(workers["template"]) == {}
    without = one(render(CHART, VARIANTS["kuberay-http"]), "RayJob")["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert ports(without["template"]) == {}


@pytest.mark.parametrize("variant", WATCHED)
def test_dashboards_pass_as_they_are(variant: str) -> None:
    found = one(render(CHART, VARIANTS[variant]), "ConfigMap", f"{RELEASE}-search")
    file = CHARTS / CHART / "files" / "dashboards" / "search.json"
    assert found["data"] == {"search.json": file.read_text().rstrip("\n")}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_nothing_asks_for_types_that_a_cluster_may_not_have_unless_it_is_told_to() -> None:
    assert {"PodMonitor", "ConfigMap"} & {it["kind"] for it in render(CHART, VARIANTS["minimal"])} == set()


@pytest.mark.parametrize("port", [FIRST_PORT, FIRST_PORT + 10 + WORKER_PORTS])
def test_the_ports_of_ray_are_a_jobs_own_and_the_next_ones_are_not(port: int) -> None:
    def refused(port: int) -> bool:
        values = VARIANTS["minimal"] | {"metrics": {"port": port}}
        _, printed = run_helm("template", RELEASE, CHARTS / CHART, values=values)
        return f"metrics.port is {port}" in printed

    beyond = port - 1 if port == FIRST_PORT else port + 1
    assert (refused(port), refused(beyond)) == (True, False)
