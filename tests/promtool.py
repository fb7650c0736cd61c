"""Prometheus' own programs: on PATH, or in the cache folder of the cluster tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

__all__ = ["prometheus", "promtool"]


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
