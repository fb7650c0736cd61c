"""The control groups of nodes: what the kubelet keeps its pods in, and how all processes of the pods are found."""

from __future__ import annotations

import contextlib
from pathlib import Path

from cluster.bed.layout import PREFIX, namespace
from cluster.bed.processes import kill
from cluster.bed.shell import BedError

__all__ = ["check", "kill_group", "make_group", "remove_groups"]

ROOT = Path("/sys/fs/cgroup")
PROCESSES, DELEGATED = "cgroup.procs", "cgroup.subtree_control"
# what the kubelet asks for where the machine has it
CONTROLLERS = {"cpu", "cpuset", "memory", "hugetlb", "pids"}
# version 1: a new group takes no process before it has these
CPUSET = ("cpuset.cpus", "cpuset.mems")


def check() -> None:
    """Refuses a machine whose control groups cannot hold a node's.

    Raises:
        BedError: There are none that we may use.
    """
    if not (_is_unified() or (ROOT / "memory" / PROCESSES).exists()):
        raise _useless("has none for memory")
    if _is_unified():
        try:
            _delegate(ROOT)
        except OSError as error:
            raise _useless(f"does not let us use those of version 2 ({error.strerror})") from None


def make_group(node: str) -> None:
    """Makes a node's group in every hierarchy."""
    for hierarchy in _hierarchies():
        group = hierarchy / namespace(node)
        group.mkdir(exist_ok=True)
        for name in CPUSET:
            if (hierarchy / name).exists():
                (group / name).write_text((hierarchy / name).read_text())
        if _is_unified():
            _delegate(group)


def kill_group(node: str) -> None:
    """Ends all pods of a node at once."""
    for hierarchy in _hierarchies():
        for processes in (hierarchy / namespace(node)).rglob(PROCESSES):
            with contextlib.suppress(OSError):  # the group ended with its last process
                for pid in processes.read_text().split():
                    kill(int(pid))


def remove_groups() -> None:
    """Removes the groups of all nodes, innermost first."""
    for hierarchy in _hierarchies():
        for group in sorted(hierarchy.glob(f"{PREFIX}*/**/"), reverse=True):
            with contextlib.suppress(OSError):  # one with a process that is still ending stays
                group.rmdir()


def _is_unified() -> bool:
    """Returns whether the machine has version 2 alone: one hierarchy for all controllers."""
    return (ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if _is_unified():
        return [ROOT]
    return [path for path in ROOT.iterdir() if (path / PROCESSES).exists() and not path.is_symlink()]


def _delegate(group: Path) -> None:
    """Hands a group's controllers on to the groups inside it, which version 2 does not do by itself."""
    ours = CONTROLLERS & set((group / "cgroup.controllers").read_text().split())
    (group / DELEGATED).write_text(" ".join(f"+{name}" for name in sorted(ours)))


def _useless(why: str) -> BedError:
    return BedError(
        f"this machine {why}, and the bed's nodes need control groups: use a cluster that you have, "
        "by KUBECONFIG and `pytest --bed=none tests/cluster`"
    )
