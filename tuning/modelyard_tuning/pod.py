"""Entry of every pod of a search that is one Indexed Job: index 0 is Ray's head and the driver, the others are workers.

    python -m modelyard_tuning.pod --head NAME --cpus 2 --head-cpus 1 --object-store-bytes 200000000 [DRIVER'S ...]

The head starts Ray and `driver.py`, and ends with the driver's exit code. A worker joins the head, and joins again
when the head was replaced; it never ends by itself, the Job's successPolicy or its failure removes it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard_tuning import driver
from modelyard_tuning.driver import INTERRUPTED, Order

__all__ = ["Head", "Node", "Worker", "main"]

RAY_DIED = 70
FIRST_PORT = 6379
WORKER_PORTS = 1000
# what a driver has to write its state and let its lease go; with Ray's own end below the pod's grace period
DRIVER_GRACE_S = 25.0
RAY_GRACE_S = 5.0
TICK_S = 0.2
# a head that was replaced has another address: sooner known by its name than by Ray
RESOLVE_EVERY_S = 2.0


@dataclass(frozen=True)
class Node:
    """What every node of a search's Ray has.

    Attributes:
        address: Its own, of the pod.
        cpus: Trials at the same time.
        object_store_bytes: Shared memory for the table; must fit into /dev/shm.
        first_port: Of the range that Ray listens on.
        worker_ports: Length of the rest of that range, one for each of Ray's processes.
        scratch: Ray's folder.
    """

    address: str
    cpus: int
    object_store_bytes: int
    first_port: int = FIRST_PORT
    worker_ports: int = WORKER_PORTS
    scratch: Path = Path("/tmp/ray")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts Ray's processes of this node; the returned one ends when they do."""
        names = ("object-manager", "node-manager", "runtime-env-agent", "dashboard-agent-listen", "metrics-export")
        ports = [f"--{name}-port={self.first_port + number}" for number, name in enumerate(names, start=1)]
        workers = self.first_port + 10
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
            *("--log-color=false", f"--node-ip-address={self.address}", f"--num-cpus={self.cpus}"),
            *(f"--object-store-memory={self.object_store_bytes}", *ports, f"--min-worker-port={workers}"),
            *(f"--max-worker-port={workers + self.worker_ports}", f"--temp-dir={self.scratch}", *arguments),
        ]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)


class Head:
    """Index 0: Ray's head, and the driver beside it.

    Args:
        node: This node.
        order: What the driver is told.
        arguments: The same as its command line.
        stopping: Is set when the pod has to end.
    """

    def __init__(self, node: Node, order: Order, arguments: Sequence[str], stopping: threading.Event) -> None:
        self._node, self._order, self._arguments, self._stopping = node, order, arguments, stopping

    def run(self) -> int:
        """Returns the exit code when all is over."""
        if driver.is_over(self._order):
            return driver.main(self._arguments)
        port = self._node.first_port
        address = f"{self._node.address}:{port}"
        ray = self._node.start("--head", f"--port={port}", "--include-dashboard=false")
        try:
            while not _answers(address):
                if ray.poll() is not None or self._stopping.wait(TICK_S):
                    return INTERRUPTED if self._stopping.is_set() else RAY_DIED
            return self._drive(ray, address)
        finally:
            _end(ray, RAY_GRACE_S)

    def _drive(self, ray: subprocess.Popen[bytes], address: str) -> int:
        threads = str(max(1, self._node.cpus))  # libraries would take what the machine has, not the pod
        command = [sys.executable, "-m", "modelyard_tuning.driver", *self._arguments]
        environment = {"RAY_ADDRESS": address, "OMP_NUM_THREADS": threads}
        process = subprocess.Popen(command, env=os.environ | environment, start_new_session=True)
        while process.poll() is None and ray.poll() is None and not self._stopping.wait(TICK_S):
            pass
        if process.returncode is None:
            _say("the pod has to end" if self._stopping.is_set() else f"Ray ended with {ray.returncode}")
            _end(process, DRIVER_GRACE_S, driver.GO)
            if process.returncode != driver.COMPLETE:
                return INTERRUPTED if self._stopping.is_set() else RAY_DIED
        code: int = process.returncode
        return code if code >= 0 else 128 - code


class Worker:
    """Every other index: Ray's worker.

    Args:
        node: This node.
        find: Returns the head's address and port, where there is a head.
        stopping: Is set when the pod has to end.
    """

    def __init__(self, node: Node, find: Callable[[], str | None], stopping: threading.Event) -> None:
        self._node, self._find, self._stopping = node, find, stopping

    def run(self) -> int:
        """Joins heads until the pod has to end."""
        while not self._stopping.wait(TICK_S):
            head = self._find()
            if head is not None and _answers(head):
                self._join(head)
        return INTERRUPTED

    def _join(self, head: str) -> None:
        _say(f"joining the head at {head}")
        ray = self._node.start(f"--address={head}")
        looked = time.monotonic()
        while ray.poll() is None and not self._stopping.wait(TICK_S):
            if time.monotonic() - looked > RESOLVE_EVERY_S:
                looked = time.monotonic()
                if self._find() not in (None, head):
                    _say("the head is another now")
                    break
        _end(ray, RAY_GRACE_S)
        shutil.rmtree(self._node.scratch, ignore_errors=True)


def resolve(name: str) -> str | None:
    """Returns address and port of the head by its name; none where the name has not one address."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
    except OSError:
        return None
    return f"{found.pop()}:{FIRST_PORT}" if len(found) == 1 else None


def main() -> int:
    """Does what the environment and the command line say, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m modelyard_tuning.pod", allow_abbrev=False)
    parser.add_argument("--head", required=True, help="name of the head")
    parser.add_argument("--cpus", type=int, required=True, help="trials at the same time on a worker")
    parser.add_argument("--head-cpus", type=int, required=True, help="trials at the same time on the head")
    parser.add_argument("--object-store-bytes", type=int, required=True)
    options, rest = parser.parse_known_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    head = os.environ["JOB_COMPLETION_INDEX"] == "0"
    node = Node(os.environ["POD_IP"], options.head_cpus if head else options.cpus, options.object_store_bytes)
    if head:
        return Head(node, Order.parse(rest), rest, stopping).run()
    return Worker(node, lambda: resolve(options.head), stopping).run()


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes], seconds: float, how: signal.Signals = signal.SIGTERM) -> None:
    """Asks a process to end, and ends it and whatever it started after so many seconds."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            _say(f"process {process.pid} did not end in {seconds:.0f} s")
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _say(text: str) -> None:
    print(f"pod: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
