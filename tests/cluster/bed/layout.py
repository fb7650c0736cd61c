"""Where the parts of the bed are: folders, names and addresses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "ADMIN",
    "API_SERVER",
    "BIN",
    "CACHE",
    "CONTROL",
    "CONTROL_IP",
    "DNS_IP",
    "KEYS",
    "LOCK",
    "OUTSIDE",
    "POD_CIDR",
    "POD_IMAGES",
    "PREFIX",
    "REGISTRY",
    "RUN",
    "S3",
    "SERVICE_CIDR",
    "STATE",
    "kubeconfig",
    "namespace",
    "node_address",
    "node_names",
    "pod_cidr",
    "runtime_socket",
]

# what takes long to make and outlives a cluster: programs and images
CACHE = Path(os.environ.get("CLUSTER_CACHE") or Path.home() / ".cache" / "cluster")
BIN = CACHE / "bin"
# what a cluster writes; gone after `down`
STATE = Path(os.environ.get("CLUSTER_STATE") or "/var/tmp/cluster")
KEYS = STATE / "keys"
LOCK = STATE.with_name(STATE.name + ".lock")
# sockets of a node live here: their paths may have 107 characters at most
RUN = Path("/run")
PREFIX = "modelyard-"

CONTROL = "control"
CONTROL_IP = "10.250.0.1"
API_SERVER = f"https://{CONTROL_IP}:6443"
SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"
# CoreDNS listens in the control plane's network, not behind a Service
DNS_IP = CONTROL_IP

# what is pushed to the first is named by the second in a pod's spec
REGISTRY = f"{CONTROL_IP}:5000"
POD_IMAGES = "registry.local"


class ObjectStore(NamedTuple):
    """Where an S3 server is, and what opens it."""

    address: str
    key: str
    secret: str
    region: str
    bucket: str


S3 = ObjectStore(f"{CONTROL_IP}:7070", "cluster", "cluster-secret", "us-east-1", "runs")

ADMIN = "admin"
# environment variable by which `cluster run` hands on the network that it came from
OUTSIDE = "CLUSTER_OUTSIDE"


def node_names(count: int) -> list[str]:
    """Returns the names of a cluster's nodes: n1, n2 and so on."""
    return [f"n{number}" for number in range(1, count + 1)]


def node_address(node: str) -> str:
    """Returns a node's address."""
    return f"10.250.0.{10 + int(node[1:])}"


def pod_cidr(node: str) -> str:
    """Returns the network of a node's pods."""
    return f"10.244.{int(node[1:])}.0/24"


def namespace(name: str) -> str:
    """Returns the name of a node's, or the control plane's, network namespace; its cgroups are named alike."""
    return PREFIX + name


def runtime_socket(node: str) -> Path:
    """Returns the socket of a node's containerd."""
    return RUN / namespace(node) / "c.sock"


def kubeconfig(name: str) -> Path:
    """Returns the kubeconfig of a user, a component or a node."""
    return STATE / f"{name}.kubeconfig"
