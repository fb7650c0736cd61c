"""The settings of a node's containerd and kubelet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cluster.bed.layout import (
    BIN,
    DNS_IP,
    KEYS,
    POD_IMAGES,
    REGISTRY,
    RUN,
    namespace,
    node_address,
    pod_cidr,
    runtime_socket,
)

__all__ = ["PAUSE", "write_settings"]

PAUSE = f"{POD_IMAGES}/pause:1"

CONTAINERD = """version = 3
root = "{home}/containerd"
state = "{run}/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{pause}"
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "{home}/registries"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["{bin}"]
  conf_dir = "{home}/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def write_settings(node: str, home: Path) -> None:
    """Writes a node's settings into its folder."""
    (home / "cni").mkdir(parents=True, exist_ok=True)
    (home / "cni" / "10-bridge.conflist").write_text(json.dumps(_pod_network(node, home)))
    mirror = home / "registries" / POD_IMAGES
    mirror.mkdir(parents=True, exist_ok=True)
    (mirror / "hosts.toml").write_text(f'[host."http://{REGISTRY}"]\n  capabilities = ["pull", "resolve"]\n')
    values = {
        "home": home,
        "run": RUN / namespace(node),
        "socket": runtime_socket(node),
        "pause": PAUSE,
        "bin": BIN,
    }
    (home / "containerd.toml").write_text(CONTAINERD.format(**values))
    (home / "kubelet.json").write_text(json.dumps(_kubelet(node, home)))


def _pod_network(node: str, home: Path) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(home / "addresses"),
        "ranges": [[{"subnet": pod_cidr(node)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": False, "hairpinMode": True}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge | {"ipam": addresses}]}


def _kubelet(node: str, home: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node_address(node),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(KEYS / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{runtime_socket(node)}",
        "clusterDomain": "cluster.local",
        "clusterDNS": [DNS_IP],
        "resolvConf": "",
        "podLogsDir": str(home / "logs"),
        "registerNode": True,
        "nodeStatusUpdateFrequency": "2s",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{namespace(node)}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # the nodes share one disk and one memory, so that none may throw out pods for what another one takes
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }
