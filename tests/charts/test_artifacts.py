"""The charts as OCI artifacts in a registry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from helm_charts import CHARTS, find_helm, run_helm
from oci_registry import OciRegistry


def test_both_charts_are_installed_from_a_registry_as_from_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(find_helm()).parent}:/usr/bin:/bin")
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path))
    with OciRegistry() as registry:
        place = f"oci://{registry.host}/charts"
        command = [
            "make",
            "--file",
            CHARTS.parent / "Makefile",
            f"REGISTRY={place}",
            "ARGS=--plain-http",
            "push-charts",
        ]
        (tmp_path / "charts").symlink_to(CHARTS)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for chart in sorted(CHARTS.glob("*/Chart.yaml")):
            described = yaml.safe_load(chart.read_text())
            name, version = described["name"], described["version"]
            code, shown = run_helm("show", "values", f"{place}/{name}", "--version", version, "--plain-http")
            assert (code, shown.strip()) == (0, (chart.parent / "values.yaml").read_text().strip())
