"""Searches in a cluster, as a person starts them: by the command line, in a folder of their own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cluster.place import Namespace
from modelyard.kube.submission import release_name
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run, list_runs, open_run

__all__ = ["Searching", "write_table"]

SECRET = "storage-keys"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
DEADLINE_S = 600.0


@dataclass(frozen=True)
class Searching:
    """The searches of one namespace.

    Attributes:
        namespace: Where their pods are.
        storage: Where their runs are.
        image: What their pods run.
        folder: A person's working directory.
    """

    namespace: Namespace
    storage: str
    image: str
    folder: Path

    @classmethod
    def prepare(cls, namespace: Namespace, image: str, folder: Path) -> Searching:
        """Makes the Secret with the storage's keys, and a place in the storage."""
        given = [f"--from-literal={name}={os.environ[name]}" for name in KEYS]
        namespace.kubectl("create", "secret", "generic", SECRET, *given)
        bucket = namespace.cluster.bucket
        return cls(namespace, f"s3://{bucket}/{secrets.token_hex(4)}", f"{namespace.cluster.images}/{image}", folder)

    @property
    def settings(self) -> list[str]:
        """What each command has to know of the cluster."""
        return [
            f"cluster.namespace={self.namespace.name}",
            f"cluster.storage={self.storage}",
            f"cluster.storage_secret={SECRET}",
            f"cluster.s3_endpoint={os.environ['AWS_ENDPOINT_URL']}",
            f"cluster.training_image={self.image}",
        ]

    def command(self, *words: str) -> list[str]:
        """The command line of modelyard with these words and the cluster's settings."""
        return [sys.executable, "-m", "modelyard", *words, *self.settings]

    def modelyard(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            self.command(*words), cwd=self.folder, capture_output=True, text=True, check=False, timeout=DEADLINE_S
        )

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Runs a command beside the test, and ends it where it has not ended by itself."""
        pipe = subprocess.PIPE
        with subprocess.Popen(self.command(*words), cwd=self.folder, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def run(self, process: subprocess.Popen[str] | None = None) -> Run:
        """Waits for the run that a command begins."""
        runs = f"{self.storage}/runs"
        self.until(lambda: list_runs(runs) or (process is not None and process.poll() is not None))
        assert list_runs(runs), process and process.communicate()
        return open_run("latest", runs)

    def records(self, run: Run, count: int) -> list[Record]:
        """Waits until so many trials have ended, and returns all records."""

        def ended() -> bool:
            return sum(record.state != "running" for record in run.ledger.records()) >= count

        self.until(ended)
        return run.ledger.records()

    def pods(self, run: Run) -> dict[str, dict[str, Any]]:
        """The pods of a run by name."""
        selector = f"app.kubernetes.io/instance={release_name(run.name)}"
        return {pod["metadata"]["name"]: pod for pod in self.namespace.get("pods", f"--selector={selector}")["items"]}

    def pods_at(self, run: Run, index: int) -> dict[str, dict[str, Any]]:
        """The pods of an index by name."""
        label = "batch.kubernetes.io/job-completion-index"
        return {name: pod for name, pod in self.pods(run).items() if pod["metadata"]["labels"].get(label) == str(index)}

    def node_of(self, run: Run, index: int) -> tuple[str, str]:
        """The running pod of an index, and its node."""
        for name, pod in self.pods_at(run, index).items():
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]:
                return name, pod["spec"]["nodeName"]
        raise AssertionError(f"index {index} has no running pod")

    def conditions(self, run: Run) -> set[str]:
        """What the run's Job has come to."""
        status = self.namespace.get("job", release_name(run.name))["status"]
        return {each["type"] for each in status.get("conditions", ()) if each["status"] == "True"}

    @contextmanager
    def watched(self, run: Run) -> Iterator[Callable[[], set[str]]]:
        """Watches what the run's Job comes to: who follows the run removes it soon after."""
        seen = self.folder / "conditions"
        words = ("get", "job", release_name(run.name), "--watch", "--output=jsonpath={.status.conditions[*].type} ")
        command = ["kubectl", "--namespace", self.namespace.name, *words]
        with seen.open("w") as output, subprocess.Popen(command, stdout=output) as watch:
            try:
                yield lambda: set(seen.read_text().split())
            finally:
                watch.terminate()

    @staticmethod
    def until(done: Callable[[], object], seconds: float = DEADLINE_S) -> float:
        """Waits for a condition, and returns the seconds that it took."""
        began = time.monotonic()
        while not done():
            assert time.monotonic() - began < seconds, "it did not come about"
            time.sleep(0.5)
        return time.monotonic() - began


def write_table(folder: Path, rows: int = 3000) -> str:
    """Writes a table whose target some columns tell, and returns its file's name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 8))
    target = (X[:, 0] - X[:, 1] + rng.normal(size=rows)) > 0
    lines = [",".join([*(f"x{number}" for number in range(8)), "target"])]
    lines += [",".join([*(f"{value:.4f}" for value in row), str(int(hit))]) for row, hit in zip(X, target, strict=True)]
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    return "people.csv"


def outcome(process: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The object that a command printed."""
    assert process.returncode == 0, process.stderr
    document: dict[str, Any] = json.loads(process.stdout)
    return document
