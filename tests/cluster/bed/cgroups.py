"""The control groups of nodes: what the kubelet keeps its pods in, and how all of a node's processes are found."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cluster.bed.layout import PREFIX, namespace
from cluster.bed.processes import kill
from cluster.bed.shell import BedError

__all__ = ["check", "kill_group", "make_group", "remove_groups"]

ROOT = Path("/sys/fs/cgroup")
PROCESSES = "cgroup.procs"
# a new group of this controller takes no process before it has these
CPUSET = ("cpuset.cpus", "cpuset.mems")


def check() -> None:
    """Refuses a machine on which a cluster was never seen running.

    Raises:
        BedError: Its control groups are not of version 1.
    """
    if not (ROOT / "memory" / PROCESSES).exists():
        raise BedError(
            "this machine has control groups of version 2, and the bed runs on version 1 only: use a cluster that you "
            "have, by the environment variable KUBECONFIG and `pytest --bed=none tests/cluster`"
        )


def make_group(node: str) -> None:
    """Makes a node's group under every controller."""
    for controller in _controllers():
        group = controller / namespace(node)
        group.mkdir(exist_ok=True)
        for name in CPUSET:
            if (controller / name).exists():
                (group / name).write_text((controller / name).read_text())


def kill_group(node: str) -> None:
    """Ends all pods of a node at once."""
    for processes in (ROOT / "memory" / namespace(node)).rglob(PROCESSES):
        for pid in processes.read_text().split():
            kill(int(pid))


def remove_groups() -> None:
    """Removes the groups of all nodes, innermost first."""
    for controller in _controllers():
        for group in sorted(controller.glob(f"{PREFIX}*/**/"), reverse=True):
            with contextlib.suppress(OSError):  # one with a process that is still ending stays
                group.rmdir()


def _controllers() -> list[Path]:
    return [path for path in ROOT.iterdir() if (path / PROCESSES).exists() and not path.is_symlink()]
