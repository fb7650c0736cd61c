"""Helm for the tests of charts: what it makes of values, and what it refuses, without a cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

__all__ = ["CHARTS", "NAMESPACE", "RELEASE", "Manifest", "find_helm", "one", "pods", "render", "run_helm", "variants"]

CHARTS = Path(__file__).parents[1] / "charts"
RELEASE, NAMESPACE = "adult", "scoring"

Manifest = dict[str, Any]


@cache
def find_helm() -> str:
    """Helm's binary; skips the test where there is none."""
    built = Path(os.environ.get("CLUSTER_CACHE", Path.home() / ".cache" / "cluster")) / "bin"
    found = shutil.which("helm") or shutil.which("helm", path=str(built))
    if found is None:
        pytest.skip(f"the charts were not tested: there is no helm on PATH nor in {built}")
    return found


def run_helm(*arguments: str | Path, values: Mapping[str, Any] | None = None, **environment: str) -> tuple[int, str]:
    """Runs Helm with values on its standard input.

    Returns:
        Its exit code, and what it printed: to standard output where it succeeded, to standard error where it did not.
    """
    given = [] if values is None else ["--values", "-"]
    done = subprocess.run(
        [find_helm(), *map(str, arguments), *given],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KUBECONFIG": os.devnull, "HELM_PLUGINS": os.devnull} | environment,
    )
    return done.returncode, done.stderr if done.returncode else done.stdout


def render(chart: str | Path, values: Mapping[str, Any], *arguments: str, **environment: str) -> list[Manifest]:
    """The objects that a chart, by its name or folder, makes of values."""
    code, printed = run_helm(
        "template", RELEASE, CHARTS / chart, "--namespace", NAMESPACE, *arguments, values=values, **environment
    )
    assert code == 0, printed
    return [document for document in yaml.safe_load_all(printed) if document]


def variants(chart: str) -> dict[str, Manifest]:
    """The sets of values that a chart is tried with, by the name of their file in its folder ci."""
    found = sorted((CHARTS / chart / "ci").glob("*-values.yaml"))
    return {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in found}


def one(manifests: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The only object of a kind, or the one of a name."""
    (found,) = [it for it in manifests if it["kind"] == kind and name in (None, it["metadata"]["name"])]
    return found


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Every pod, and every template of pods, with its metadata and spec."""
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield manifest
        elif manifest["kind"] == "CronJob":
            yield manifest["spec"]["jobTemplate"]["spec"]["template"]
        elif "template" in manifest.get("spec", {}):
            yield manifest["spec"]["template"]
