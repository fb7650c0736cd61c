"""The bed itself: what every other test here takes for granted."""

from __future__ import annotations

import json
import urllib.request

import pytest

from cluster.bed.shell import BedError, run
from cluster.place import Cluster, Namespace
from cluster.pods import pod
from waiting import until

pytestmark = pytest.mark.cluster


def test_two_nodes_are_ready_and_current(cluster: Cluster) -> None:
    nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    ready = {
        node["metadata"]["name"]: condition["status"]
        for node in nodes
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    }
    assert list(ready.values()) == ["True"] * len(ready)
    assert len(ready) >= 2
    versions = {tuple(map(int, node["status"]["nodeInfo"]["kubeletVersion"][1:].split(".")[:2])) for node in nodes}
    assert min(versions) >= (1, 30)


def test_the_cluster_measures_cpu(cluster: Cluster) -> None:
    nodes = set(cluster.kubectl("get", "nodes", "--output=name").split())

    def measured() -> set[str]:
        try:
            items = json.loads(cluster.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"]
        except BedError:
            return set()  # the metrics API has no figures in its first seconds
        return {f"node/{item['metadata']['name']}" for item in items if item["usage"]["cpu"] != "0"}

    until(lambda: measured() == nodes)
    assert measured() == nodes


def test_a_namespace_takes_only_restricted_pods(namespace: Namespace) -> None:
    loose = pod("loose", "registry.local/pause:1")
    del loose["spec"]["securityContext"]
    with pytest.raises(BedError, match="violates PodSecurity"):
        namespace.apply(loose)


def test_the_bed_is_apart_from_the_machines_network(cluster: Cluster) -> None:
    if not cluster.bed:
        pytest.skip("this cluster's network is not ours")
    with urllib.request.urlopen(f"http://{cluster.registry}/v2/", timeout=5) as answer:
        assert answer.status == 200
    assert run("ip", "route", "show", "default") == ""
    with cluster.outside():
        assert "10.250.0." not in run("ip", "address")
