"""A real, current Kubernetes on one Linux machine, without a virtual machine and without a registry afar.

Every node is a network namespace with its own containerd and kubelet. The control plane (etcd, API server, controller
manager, scheduler) is in one more, and beside it CoreDNS, metrics-server, an image registry and an S3 server. All
programs are built from Go modules into the cache folder, once: ~/.cache/cluster, or CLUSTER_CACHE. It needs root.

  registry   push to 10.250.0.1:5000 (plain HTTP), name the images registry.local/NAME in manifests
  S3         http://10.250.0.1:7070, keys cluster and cluster-secret, region us-east-1, bucket runs

None of it can be reached from outside of the namespaces: `cluster run` runs a command inside.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from cluster.bed import cgroups
from cluster.bed.access import environment
from cluster.bed.addons import start_addons
from cluster.bed.certificates import make_keys
from cluster.bed.control_plane import kubectl, start_control_plane
from cluster.bed.layout import ADMIN, CACHE, CONTROL, OUTSIDE, PREFIX, RUN, STATE, kubeconfig, node_names
from cluster.bed.lock import alone, together
from cluster.bed.network import make_network, places, remove_network
from cluster.bed.node import kill_node, load_image, nodes, start_node
from cluster.bed.processes import inside, kill_all, running
from cluster.bed.programs import build, build_prometheus
from cluster.bed.shell import BedError, answers, run, wait

__all__ = ["main"]

READY = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"


def up(count: int) -> None:
    """Starts a cluster anew; one that is there, or was left by a run that was cut short, is removed first."""
    cgroups.check()
    build()
    with alone():
        _remove()
        # pods' volumes are mounted by the kubelet and have to be seen by containerd
        run("mount", "--make-rshared", "/")
        STATE.mkdir(parents=True)
        names = node_names(count)
        make_keys(names)
        make_network(names)
        start_control_plane()
        start_addons()
        for node in names:
            start_node(node)
        wait("a node", lambda: kubectl("get", "nodes", "-o", READY).split() == ["True"] * count, see=STATE)
    print(f"KUBECONFIG={kubeconfig(ADMIN)}")


def down() -> None:
    """Ends a cluster and removes all that it made but the cache; where there is none, nothing is done."""
    with alone():
        _remove()


def enter(command: list[str]) -> None:
    """Becomes a command inside the control plane's network."""
    if not running(CONTROL):
        raise BedError("no cluster is running: start one with `cluster up`")
    if not command:
        raise BedError("there is nothing to run: `cluster run COMMAND...`")
    together()
    machine = os.open("/proc/self/ns/net", os.O_RDONLY)
    os.set_inheritable(machine, True)
    words = inside(CONTROL, *command)
    os.execvpe(words[0], words, environment() | {OUTSIDE: f"/proc/self/fd/{machine}"})


def _remove() -> None:
    for place in places():
        kill_all(place)
        cgroups.kill_group(place)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted(
        (mount for mount in mounts if mount.startswith((f"{STATE}/", f"{RUN}/{PREFIX}"))), reverse=True
    ):
        answers("umount", "--lazy", point)
    remove_network()
    for path in RUN.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
    cgroups.remove_groups()
    shutil.rmtree(STATE, ignore_errors=True)


def main() -> None:
    """Runs a command of the command line."""
    arguments = _parser().parse_args()
    try:
        if os.geteuid() != 0:
            raise BedError("namespaces, control groups and mounts need root: run it as root")
        match arguments.command:
            case "build":
                build()
            case "build-prometheus":
                build_prometheus()
            case "up":
                up(arguments.nodes)
            case "load":
                for node in nodes():
                    load_image(node, arguments.archive)
            case "run":
                enter(arguments.words)
            case "kill-node":
                kill_node(arguments.node)
            case "start-node":
                start_node(arguments.node)
            case "down":
                down()
    except BedError as error:
        sys.exit(f"cluster: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("build", help=f"build the programs into {CACHE}; about 15 minutes, once")
    commands.add_parser("build-prometheus", help="build Prometheus and promtool there too; about 5 minutes, once")
    started = commands.add_parser("up", help="start a cluster and print its KUBECONFIG; a running one is replaced")
    started.add_argument("--nodes", type=int, default=2, help="how many (default 2)")
    loaded = commands.add_parser("load", help="import an archive of images (docker save) into every node")
    loaded.add_argument("archive", type=Path)
    entered = commands.add_parser("run", help="run a command inside the control plane's network")
    entered.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND...")
    cut = commands.add_parser("kill-node", help="cut a node off at once, with its pods, as a power cut would")
    cut.add_argument("node")
    back = commands.add_parser("start-node", help="bring such a node back")
    back.add_argument("node")
    commands.add_parser("down", help="end the cluster and remove all that it made; the cache stays")
    return parser
