"""Releases of tests: bentos of a small model, deployed by the command as a person would."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.place import Cluster, Namespace

__all__ = ["Deployer", "modelyard", "predict"]


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


def predict(url: str, body: bytes) -> dict[str, Any]:
    """Returns what a service answers to a request."""
    request = urllib.request.Request(f"{url}/api/v1/predict", body, {"Content-Type": "application/json"})
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
    """

    namespace: Namespace
    base: str
    folder: Path

    @property
    def cluster(self) -> Cluster:
        """Where the namespace is."""
        return self.namespace.cluster

    def deploy(
        self, bento: str, *arguments: object, values: Mapping[str, Any] | None = None, code: int = 0
    ) -> dict[str, Any]:
        """Pushes a bento and deploys it as release people.

        Args:
            bento: Its tag.
            arguments: Further ones of the command.
            values: For the chart, before what the command sets.
            code: How the command must end.
        """
        file = self.folder / "values.yaml"
        # nodes may know the registry by another name
        images = {"image": {"repository": f"{self.cluster.images}/people"}}
        file.write_text(yaml.safe_dump(images | dict(values or {})))
        where = ("--to", f"{self.cluster.registry}/people", "--base", self.base, f"cluster.serving_values={file}")
        return self.run("deploy", bento, *where, "--insecure", *arguments, code=code)

    def run(self, command: str, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Runs a command about a release of the namespace."""
        return modelyard(command, *arguments, "--namespace", self.namespace.name, code=code)
