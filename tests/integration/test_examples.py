"""The examples run as they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.filterwarnings("ignore::Warning")  # Jupyter's own, from its event loop and its migrations
def test_quickstart_notebook(tmp_path: Path) -> None:
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    last = notebook.cells[-1].outputs[0]["data"]["text/plain"]
    assert float(last.split("(")[-1].rstrip(")")) > 0.9


@pytest.mark.slow
def test_pipeline_script(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "pipeline.py"), "--budget", "15"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    assert "569 rows, 30 inputs, task binary" in done.stdout
    assert "roc_auc 0.9" in done.stdout
    assert not list(tmp_path.iterdir())
