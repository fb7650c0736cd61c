"""A node: containerd, kubelet and kube-proxy in a network namespace, started, cut off as by a power cut, and back."""

from __future__ import annotations

from pathlib import Path

from cluster.bed import cgroups, network
from cluster.bed.control_plane import start_proxy
from cluster.bed.layout import BIN, STATE, kubeconfig, node_address, runtime_socket
from cluster.bed.node_settings import PAUSE, write_settings
from cluster.bed.pause import pause_archive
from cluster.bed.processes import kill_all, running, start
from cluster.bed.shell import BedError, answers, run, wait

__all__ = ["kill_node", "load_image", "nodes", "start_node"]


def nodes() -> list[str]:
    """Returns the nodes of the cluster, running or cut off."""
    return sorted(path.name.removesuffix(".kubeconfig") for path in STATE.glob("n[0-9]*.kubeconfig"))


def start_node(node: str) -> None:
    """Starts a node, or starts it again after `kill_node`; what its containerd had pulled is still there.

    Raises:
        BedError: There is no such node, it is running, or its containerd does not start.
    """
    _require(node)
    if running(node):
        raise BedError(f"node {node} is running: `cluster kill-node {node}` cuts it off")
    home = STATE / node
    write_settings(node, home)
    cgroups.make_group(node)
    network.join(node)
    start(f"containerd-{node}", node, BIN / "containerd", "--config", home / "containerd.toml")
    wait(f"containerd of {node}", lambda: answers(*_ctr(node, "version")), see=STATE / f"containerd-{node}.log")
    load_image(node, pause_archive(PAUSE))
    start(
        f"kubelet-{node}",
        node,
        BIN / "kubelet",
        f"--kubeconfig={kubeconfig(node)}",
        f"--config={home}/kubelet.json",
        f"--root-dir={home}/kubelet",
        f"--cert-dir={home}/keys",
        f"--hostname-override={node}",
        f"--node-ip={node_address(node)}",
    )
    start_proxy(node, node_address(node))


def load_image(node: str, archive: Path) -> None:
    """Imports an archive of images (`docker save`) into a node."""
    run(*_ctr(node, "--namespace", "k8s.io", "images", "import", "--local", archive))


def kill_node(node: str) -> None:
    """Cuts a node's network, then ends its programs and pods at once; a node that is off already is no error.

    Raises:
        BedError: There is no such node, or a process does not end.
    """
    _require(node)
    network.cut(node)
    kill_all(node)
    cgroups.kill_group(node)


def _require(node: str) -> None:
    if node not in nodes():
        raise BedError(f"there is no node {node}; there are: {', '.join(nodes()) or 'none, see `cluster up`'}")


def _ctr(node: str, *arguments: object) -> list[str]:
    return [str(BIN / "ctr"), "--address", str(runtime_socket(node)), *map(str, arguments)]
