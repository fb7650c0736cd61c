from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.api.app import create_app
from modelyard.api.source import MODEL_VARIABLE, find_folder, load_served
from modelyard.config.models import Settings
from modelyard.errors import ModelError
from modelyard.registry.models import promote


def test_the_champion_unless_a_folder_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"storage": {"models": str(tmp_path / "models")}})
    with pytest.raises(ModelError, match=r"^there is no champion to serve in .*; make one with `modelyard run`"):
        create_app(settings=settings)
    promote(folder, settings)
    assert find_folder(settings).is_relative_to(tmp_path)
    assert load_served(find_folder(settings), settings).model.name == "people"
    monkeypatch.setenv(MODEL_VARIABLE, str(folder))
    assert find_folder(settings) == folder
    assert create_app(settings=settings).title == "people"


def test_the_command_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != MODEL_VARIABLE}
    command = [sys.executable, "-m", "modelyard.api", "--port", "0"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("there is no champion to serve in models;")
    assert len(done.stderr.splitlines()) == 1
