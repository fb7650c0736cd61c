from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelyard_bentos.usage import memory_mb

TAKEN_MB = 200
PROGRAM = f"taken = bytearray({TAKEN_MB} * 10**6); del taken; print(flush=True); input()"


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux keeps the most that was resident")
def test_memory_that_was_given_back_counts() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], text=True, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert TAKEN_MB < memory_mb(process.pid) < TAKEN_MB + 100
        process.communicate("\n")
