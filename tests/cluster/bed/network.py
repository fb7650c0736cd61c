"""The network of a cluster: a namespace for each node and one for the control plane, joined by a bridge.

10.250.0.1 is the control plane, 10.250.0.11 and on the nodes, 10.244.N.0/24 the pods of node N, 10.96.0.0/16 the
Services. No namespace has a way out, and nothing outside of them reaches in.
"""

from __future__ import annotations

from cluster.bed.layout import CONTROL, CONTROL_IP, PREFIX, SERVICE_CIDR, namespace, node_address, pod_cidr
from cluster.bed.processes import inside
from cluster.bed.shell import answers, run

__all__ = ["cut", "join", "make_network", "places", "remove_network"]

BRIDGE = "br0"


def make_network(nodes: list[str]) -> None:
    """Makes the namespaces, the links between them and the routes to pods."""
    _make_control()
    for node in nodes:
        _make_node(node)
    for node in nodes:
        for host in [CONTROL, *nodes]:
            if host != node:
                run(*inside(host, "ip", "route", "add", pod_cidr(node), "via", node_address(node)))


def cut(node: str) -> None:
    """Pulls a node's cable; one that is not there is no error."""
    answers(*inside(CONTROL, "ip", "link", "set", _link(node), "down"))


def join(node: str) -> None:
    """Puts a node's cable back."""
    run(*inside(CONTROL, "ip", "link", "set", _link(node), "up"))


def places() -> list[str]:
    """Returns the names of what has a namespace: the nodes and the control plane."""
    names = [line.split()[0] for line in run("ip", "netns", "list").splitlines()]
    return [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]


def remove_network() -> None:
    """Removes all namespaces, and with them their links."""
    for place in places():
        run("ip", "netns", "delete", namespace(place))


def _link(node: str) -> str:
    return f"v{node}"


def _make_control() -> None:
    run("ip", "netns", "add", namespace(CONTROL))
    run(*inside(CONTROL, "ip", "link", "set", "lo", "up"))
    run(*inside(CONTROL, "ip", "link", "add", BRIDGE, "type", "bridge"))
    run(*inside(CONTROL, "ip", "address", "add", f"{CONTROL_IP}/24", "dev", BRIDGE))
    run(*inside(CONTROL, "ip", "link", "set", BRIDGE, "up"))
    run(*inside(CONTROL, "ip", "route", "add", SERVICE_CIDR, "dev", BRIDGE))
    run(*inside(CONTROL, "sysctl", "-qw", "net.ipv4.ip_forward=1"))


def _make_node(node: str) -> None:
    run("ip", "netns", "add", namespace(node))
    near = [_link(node), "netns", namespace(CONTROL)]
    run("ip", "link", "add", *near, "type", "veth", "peer", "name", "eth0", "netns", namespace(node))
    run(*inside(CONTROL, "ip", "link", "set", _link(node), "master", BRIDGE, "up"))
    run(*inside(node, "ip", "link", "set", "lo", "up"))
    run(*inside(node, "ip", "address", "add", f"{node_address(node)}/24", "dev", "eth0"))
    run(*inside(node, "ip", "link", "set", "eth0", "up"))
    run(*inside(node, "ip", "route", "add", "default", "via", CONTROL_IP))
    run(*inside(node, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
