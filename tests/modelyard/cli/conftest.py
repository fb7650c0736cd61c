from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli.seam import run_command


@dataclass(frozen=True)
class Finished:
    """A finished command: exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one object on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def sentence(self) -> str:
        """The one line on standard error."""
        (line,) = self.err.splitlines()
        return line.removeprefix("error: ")


Modelyard = Callable[..., Finished]


@pytest.fixture
def modelyard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Modelyard]:
    """Runs a command inside this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level

    def run(*arguments: str) -> Finished:
        capfd.readouterr()
        code = run_command(arguments)
        printed = capfd.readouterr()
        return Finished(code, printed.out, printed.err)

    yield run
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def modelyard_process(tmp_path: Path) -> Modelyard:
    """Runs a command as a process of its own, in an empty folder."""

    def run(*arguments: str, env: dict[str, str] | None = None) -> Finished:
        done = subprocess.run(
            [sys.executable, "-m", "modelyard", *arguments],
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "120", **(env or {})},
            capture_output=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=120,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table with a headline, a null, a leading blank and a quoted label."""
    rows = [
        f"{20 + row % 40},{'Köln' if row % 3 else 'Bonn'},{row * 1.5},'{'yes' if row % 4 else 'no'}'"
        for row in range(80)
    ]
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["age,city,income of 2024?,bought", *rows, "?,Bonn,3,'no'"]) + "\n", encoding="utf-8")
    return path
