"""Releases of tests: bentos of a small model, deployed by the command as a person would."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster.place import Cluster, Namespace

__all__ = ["SMALL", "Deployer", "modelyard", "predict"]

# two pods of 100m or a bit more, up to four
SMALL = ("--target-rps", 200)


def modelyard(*arguments: object, code: int = 0) -> dict[str, Any]:
    """Runs a command and returns the object that it prints.

    Args:
        arguments: Of the command, without ``--json``.
        code: How it must end.
    """
    command = [sys.executable, "-m", "modelyard", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == code, f"{' '.join(command)} ended with {done.returncode}: {done.stderr}"
    (line,) = done.stdout.splitlines()
    document: dict[str, Any] = json.loads(line)
    return document


def predict(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Returns what a service answers to a request."""
    known = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(f"{url}/api/v1/predict", body, known)
    with urllib.request.urlopen(request, timeout=20) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


@dataclass(frozen=True)
class Deployer:
    """Deploys bentos into a namespace.

    Attributes:
        namespace: Where to.
        base: The serving base, as it is pushed.
        folder: Where files of values go.
        values: For the chart, before what the command sets.
    """

    namespace: Namespace
    base: str
    folder: Path
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        """Where the namespace is."""
        return self.namespace.cluster

    def having(self, values: Mapping[str, Any]) -> Deployer:
        """Returns one that deploys with these values."""
        return dataclasses.replace(self, values=values)

    def deploy(self, bento: str, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Pushes a bento and deploys it as release people.

        Args:
            bento: Its tag.
            arguments: Further ones of the command.
            code: How the command must end.
        """
        file = self.folder / "values.yaml"
        # nodes may know the registry by another name
        images = {"image": {"repository": f"{self.cluster.images}/people"}}
        file.write_text(yaml.safe_dump(images | dict(self.values)))
        where = ("--to", f"{self.cluster.registry}/people", "--base", self.base, f"cluster.serving_values={file}")
        return self.run("deploy", bento, *where, "--insecure", *arguments, code=code)

    def run(self, command: str, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Runs a command about a release of the namespace."""
        return modelyard(command, *arguments, "--namespace", self.namespace.name, code=code)

    def pods(self) -> list[dict[str, Any]]:
        """Returns the pods that predict, those included that are on their way."""
        found = self.namespace.get("pods", "--selector=app.kubernetes.io/component=serving")
        return list(found["items"])

    def urls(self) -> list[str]:
        """Returns the URL of each pod that is ready."""
        ready = self.ready()
        return [f"http://{pod['status']['podIP']}:3000" for pod in self.pods() if pod["metadata"]["name"] in ready]

    def ready(self, node: str | None = None) -> list[str]:
        """Returns the names of those that are ready and stay, everywhere or on one node."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods()
            if node in (None, pod["spec"].get("nodeName")) and "deletionTimestamp" not in pod["metadata"]
            if _is_ready(pod)
        ]


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"
