"""The cluster that the tests run on, and the namespaces that they get in it."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.bed.layout import CONTROL, OUTSIDE, RUN, namespace
from cluster.bed.shell import run
from waiting import until

__all__ = ["BED", "Cluster", "Namespace", "entered"]

BED = Path(__file__).parent / "bed"
CONTROL_PLANE = RUN / "netns" / namespace(CONTROL)
# held open from before anything is moved: another process's network may not be readable, even for root
MACHINE = Path(f"/proc/self/fd/{os.open(os.environ.get(OUTSIDE, '/proc/thread-self/ns/net'), os.O_RDONLY)}")
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes:
        bed: Whether it is the bed, whose nodes tests may cut off and whose addresses they reach.
        registry: Where images are pushed.
        images: What the nodes call that place.
        bucket: A bucket of the S3 server that AWS_ENDPOINT_URL and its neighbours name.
    """

    bed: bool
    registry: str
    images: str
    bucket: str

    def kubectl(self, *arguments: object, text: str | None = None) -> str:
        """Runs kubectl and returns what it printed."""
        return run("kubectl", *arguments, text=text, deadline_s=180)

    def crane(self, *arguments: object) -> str:
        """Runs crane, which copies and shows images, against the cluster's registry."""
        insecure = ["--insecure"] if self.bed else []
        return run("crane", *insecure, *arguments, deadline_s=180)

    def kill_node(self, node: str) -> None:
        """Cuts a node off as a power cut would."""
        run(sys.executable, BED / "cluster", "kill-node", node)

    def start_node(self, node: str) -> None:
        """Brings a node back."""
        run(sys.executable, BED / "cluster", "start-node", node)

    @contextmanager
    def power_cut(self, node: str) -> Iterator[None]:
        """Cuts a node off, and brings it back afterwards."""
        self.kill_node(node)
        try:
            yield
        finally:
            self.start_node(node)
            self.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=120s")

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Goes back to the machine's network, where package indexes are."""
        with entered(MACHINE):
            yield

    @contextmanager
    def new_namespace(self) -> Iterator[Namespace]:
        """Makes a namespace in which every pod must be `restricted`, and removes it with all that is in it."""
        name = f"test-{secrets.token_hex(4)}"
        levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": levels}}
        self.kubectl("create", "-f", "-", text=json.dumps(made))
        try:
            self.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s", "--namespace", name)
            yield Namespace(name, self)
        finally:
            # what was on a node that was cut off goes minutes after that is back
            run("kubectl", "delete", "namespace", name, "--timeout=400s", deadline_s=420)


@dataclass(frozen=True)
class Namespace:
    """A namespace of a test's own.

    Attributes:
        name: What it is called.
        cluster: Where it is.
    """

    name: str
    cluster: Cluster

    def kubectl(self, *arguments: object, text: str | None = None) -> str:
        """Runs kubectl here and returns what it printed."""
        return self.cluster.kubectl("--namespace", self.name, *arguments, text=text)

    def helm(self, *arguments: object) -> str:
        """Runs helm here and returns what it printed."""
        return run("helm", "--namespace", self.name, *arguments, deadline_s=600)

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Applies manifests."""
        items = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self.kubectl("apply", "-f", "-", text=json.dumps(items))

    def get(self, *what: str) -> dict[str, Any]:
        """Returns an object, or a list of them, as a document."""
        document: dict[str, Any] = json.loads(self.kubectl("get", *what, "--output=json"))
        return document

    def wait(self, condition: str, what: str, seconds: int = 60) -> None:
        """Waits for a condition of an object, such as `condition=Ready`."""
        self.kubectl("wait", f"--for={condition}", what, f"--timeout={seconds}s")

    @contextmanager
    def address(self, what: str, port: int) -> Iterator[str]:
        """Yields the URL of a pod or a Service.

        Args:
            what: Such as ``pod/NAME`` or ``service/NAME``.
            port: Which of its ports.
        """
        if self.cluster.bed:
            document = self.get(what)
            host = document["status"]["podIP"] if document["kind"] == "Pod" else document["spec"]["clusterIP"]
            until(lambda: _accepts(host, port))
            yield f"http://{host}:{port}"
            return
        command = ["kubectl", "--namespace", self.name, "port-forward", what, f":{port}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
            try:
                assert forward.stdout is not None
                # Forwarding from 127.0.0.1:PORT -> ...
                yield f"http://{forward.stdout.readline().split()[2]}"
            finally:
                forward.terminate()

    def describe(self) -> str:
        """Returns what is here, for a person who has to find out why a test failed."""
        asked = [
            ["get", "all", "--output=wide"],
            ["get", "events", "--sort-by=.lastTimestamp"],
            # kubectl takes no empty selector
            ["logs", "--selector=!none", "--all-containers", "--prefix", "--tail=30", "--ignore-errors"],
        ]
        command = ["kubectl", "--namespace", self.name]
        answers = [subprocess.run([*command, *words], capture_output=True, text=True, check=False) for words in asked]
        return "\n".join(answer.stdout + answer.stderr for answer in answers)


def _accepts(host: str, port: int) -> bool:
    # a node's kube-proxy hears of a ready pod a moment after all others
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def entered(network: Path = CONTROL_PLANE) -> Iterator[None]:
    """Moves this thread, and all processes and threads that it starts meanwhile, into another network."""
    before, other = (os.open(path, os.O_RDONLY) for path in (Path("/proc/thread-self/ns/net"), network))
    try:
        _set_network(other)
        yield
    finally:
        _set_network(before)
        os.close(before)
        os.close(other)


def _set_network(descriptor: int) -> None:
    # os.setns is in Python from 3.12 on
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "this process may not change its network: run the tests as root")
