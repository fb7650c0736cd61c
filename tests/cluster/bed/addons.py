"""What a cluster needs beside its control plane: names, CPU metrics, an image registry and an S3 server.

All of it runs in the control plane's network, outside of the cluster, so that it takes none of a node's room.
"""

from __future__ import annotations

import json
from typing import Any

from cluster.bed.control_plane import kubectl
from cluster.bed.layout import BIN, CONTROL, CONTROL_IP, DNS_IP, REGISTRY, S3, STATE, kubeconfig
from cluster.bed.processes import start

__all__ = ["start_addons"]

COREFILE = """cluster.local in-addr.arpa {{
    bind {address}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    cache 5
}}
. {{
    bind {address}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
METRICS_PORT = 4443


def start_addons() -> None:
    """Starts CoreDNS, metrics-server, the registry and the S3 server."""
    _start_dns()
    _start_registry()
    _start_s3()
    _start_metrics()


def _start_dns() -> None:
    corefile = STATE / "Corefile"
    corefile.write_text(COREFILE.format(address=DNS_IP, kubeconfig=kubeconfig("coredns")))
    start("coredns", CONTROL, BIN / "coredns", "-conf", corefile)


def _start_registry() -> None:
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(STATE / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": REGISTRY},
        "log": {"level": "warn"},
    }
    path = STATE / "registry.yaml"
    path.write_text(json.dumps(settings))
    start("registry", CONTROL, BIN / "registry", "serve", path)


def _start_s3() -> None:
    objects, metadata = STATE / "s3" / "objects", STATE / "s3" / "metadata"
    (objects / S3.bucket).mkdir(parents=True)
    metadata.mkdir()
    access = ["--access", S3.key, "--secret", S3.secret, "--region", S3.region]
    start("s3", CONTROL, BIN / "versitygw", "--port", S3.address, *access, "posix", "--sidecar", metadata, objects)


def _start_metrics() -> None:
    start(
        "metrics-server",
        CONTROL,
        BIN / "metrics-server",
        f"--kubeconfig={kubeconfig('metrics-server')}",
        f"--authentication-kubeconfig={kubeconfig('metrics-server')}",
        f"--authorization-kubeconfig={kubeconfig('metrics-server')}",
        "--kubelet-insecure-tls",
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-request-timeout=5s",
        "--metric-resolution=10s",
        f"--secure-port={METRICS_PORT}",
        f"--bind-address={CONTROL_IP}",
        f"--cert-dir={STATE}/metrics-server",
    )
    kubectl("apply", "-f", "-", text=json.dumps(_metrics_api()))


def _metrics_api() -> dict[str, Any]:
    """The metrics API as a Service without a selector, which leads to the server beside the cluster."""
    name = {"name": "metrics-server", "namespace": "kube-system"}
    port = {"name": "https", "port": METRICS_PORT, "protocol": "TCP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": name,
        "spec": {"ports": [{"name": "https", "port": 443, "targetPort": METRICS_PORT, "protocol": "TCP"}]},
    }
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": name | {"labels": {"kubernetes.io/service-name": "metrics-server"}},
        "addressType": "IPv4",
        "ports": [port],
        "endpoints": [{"addresses": [CONTROL_IP], "conditions": {"ready": True}}],
    }
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": name,
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [service, slice_, api]}
