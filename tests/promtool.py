"""Prometheus' own programs: on PATH, or in the cache folder of the cluster tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from free_ports import free_range
from helm_charts import CHARTS
from waiting import until

__all__ = ["empty_panels", "prometheus", "promtool", "static", "watching"]


@cache
def _program(name: str) -> str:
    built = Path(os.environ.get("CLUSTER_CACHE", Path.home() / ".cache" / "cluster")) / "bin"
    found = shutil.which(name) or shutil.which(name, path=str(built))
    if found is None:
        pytest.skip(f"needs {name}: on PATH, or built by `tests/cluster/bed/cluster build-prometheus`")
    return found


def prometheus() -> str:
    """Returns the server's program; skips the test where there is none."""
    return _program("prometheus")


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs promtool; skips the test where there is none."""
    command = [_program("promtool"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def watching(folder: Path, **job: Any) -> Iterator[str]:
    """A Prometheus that scrapes every second, with the rules in the folder's `*.yaml`.

    Args:
        folder: Where its files are.
        job: What it scrapes, as its configuration has it, without a name.
    """
    settings = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = {"global": settings, "rule_files": ["*.yaml"], "scrape_configs": [job | {"job_name": "watched"}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    url = f"127.0.0.1:{free_range(1)}"
    command = [prometheus(), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={url}"], stdout=log, stderr=log)
        try:
            until(lambda: _answers(f"http://{url}/-/ready") or process.poll() is not None)
            yield f"http://{url}"
        finally:
            process.terminate()
            process.wait(30)


def static(targets: Iterable[str], **labels: str) -> dict[str, Any]:
    """A job of addresses that are known."""
    return {"static_configs": [{"targets": list(targets), "labels": labels}]}


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.HTTPError:
        return False


def empty_panels(url: str, chart: str, **variables: str) -> list[str]:
    """Asks a Prometheus every query of a chart's dashboards, and returns the panels that show nothing."""
    empty, asked = [], 0
    for file in (CHARTS / chart / "files" / "dashboards").glob("*.json"):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                query = target["expr"].replace("$__rate_interval", "15s")
                for variable, value in variables.items():
                    query = query.replace(f"${variable}", value)
                answer = httpx.get(f"{url}/api/v1/query", params={"query": query}).json()
                asked += 1
                if not answer["data"]["result"]:
                    empty.append(f"{file.stem}: {panel['title']}")
    assert asked > 4
    return empty
