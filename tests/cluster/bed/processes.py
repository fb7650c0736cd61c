"""The programs of a cluster: each runs in the network namespace of a node or the control plane, and is found by it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

from cluster.bed.layout import BIN, RUN, STATE, namespace
from cluster.bed.shell import run, wait

__all__ = ["inside", "kill", "kill_all", "running", "start"]


def inside(where: str, *command: object) -> list[str]:
    """Returns the command line that runs a command in the network of a node or of the control plane."""
    return ["nsenter", f"--net={RUN}/netns/{namespace(where)}", *map(str, command)]


def start(name: str, where: str, *command: object) -> None:
    """Starts a program that goes on after us.

    Args:
        name: What its log in the state folder is called.
        where: The node, or the control plane, whose network it gets.
        command: The program and its arguments.
    """
    with (STATE / f"{name}.log").open("ab") as log:
        subprocess.Popen(
            inside(where, *command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
            start_new_session=True,
        )


def running(where: str) -> list[int]:
    """Returns the processes in a network, those that programs started included; none where there is no such network."""
    if not (RUN / "netns" / namespace(where)).exists():
        return []
    return [int(pid) for pid in run("ip", "netns", "pids", namespace(where)).split()]


def kill_all(where: str) -> None:
    """Ends all processes in a network at once.

    Raises:
        BedError: One does not end, not even by SIGKILL.
    """

    def none_left() -> bool:
        left = running(where)
        for pid in left:
            kill(pid)
        return not left

    wait(f"the end of all processes of {where}", none_left, seconds=20)


def kill(pid: int) -> None:
    """Ends a process at once; it may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
