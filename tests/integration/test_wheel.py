"""The wheel, installed outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helm_charts import run_helm

ROOT = Path(__file__).parents[2]

PACKAGES = {"modelyard": "platform", "modelyard_tuning": "tuning", "modelyard_bentos": "bentos"}


def files_below(folder: Path) -> Iterator[Path]:
    """Every file that is no bytecode; the charts are in the package by a link."""
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (Path(parent, name) for name in names if Path(parent).name != "__pycache__")


def test_holds_every_file_of_the_three_packages(built_wheel: Path) -> None:
    expected = {
        file.relative_to(ROOT / root).as_posix()
        for package, root in PACKAGES.items()
        for file in files_below(ROOT / root / package)
    }
    with zipfile.ZipFile(built_wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == expected


@pytest.mark.parametrize("package", PACKAGES)
def test_is_what_an_installed_command_imports(
    installed_wheel: Path, outside: dict[str, str], tmp_path: Path, package: str
) -> None:
    python = installed_wheel.with_name("python")
    code = f"import {package}; print({package}.__file__)"
    shown = subprocess.run([python, "-c", code], cwd=tmp_path, env=outside, capture_output=True, text=True, check=True)
    assert Path(shown.stdout.strip()).is_relative_to(installed_wheel.parents[1])


def test_help_works_in_an_empty_folder(installed_wheel: Path, outside: dict[str, str], tmp_path: Path) -> None:
    shown = subprocess.run([installed_wheel, "--help"], cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    for command in ("init", "run", "check", "tune", "pack", "serve", "verify", "score", "report", "runs", "show"):
        assert command in shown.stdout
    assert not list(tmp_path.iterdir())


def test_packaged_defaults_check_a_table(installed_wheel: Path, outside: dict[str, str], tmp_path: Path) -> None:
    command = [str(installed_wheel), "check", "data.path=sklearn://breast_cancer", "--json"]
    checked = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert isinstance(json.loads(checked.stdout), dict)


def test_init_writes_a_project_that_check_takes(installed_wheel: Path, outside: dict[str, str], tmp_path: Path) -> None:
    made = subprocess.run([installed_wheel, "init", "mine"], cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    command = [str(installed_wheel), "check", "--config-dir", "mine/conf", "data.path=sklearn://iris", "--json"]
    checked = subprocess.run(command, cwd=tmp_path, env=outside, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_an_installed_chart_is_the_chart_of_the_repository(
    installed_wheel: Path, outside: dict[str, str], tmp_path: Path
) -> None:
    code = "from modelyard.kube.charts import chart_folder; print(chart_folder('modelyard-serving'))"
    python = installed_wheel.with_name("python")
    shown = subprocess.run([python, "-c", code], cwd=tmp_path, env=outside, capture_output=True, text=True, check=True)
    chart = Path(shown.stdout.strip())
    assert chart.is_relative_to(installed_wheel.parents[1])
    rendered = {}
    for folder in (chart, ROOT / "charts" / "modelyard-serving"):
        values = folder / "ci" / "minimal-values.yaml"
        _, rendered[folder] = run_helm("template", "people", folder, "--values", values)
    assert "kind: Deployment" in rendered[chart]
    assert rendered[chart] == rendered[ROOT / "charts" / "modelyard-serving"]
