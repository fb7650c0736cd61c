from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from modelyard.config.models import Settings
from modelyard_bentos.client import Server
from modelyard_bentos.packaging import Packed, pack
from served_model import make_table, save_served


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return make_table()


@pytest.fixture(scope="session")
def folder(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", frame)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return Settings.model_validate(
        {"serving": {"max_rows": 250, "labels": {"team": "a"}}, "api": {"workers": 2}, "storage": {"models": "secret"}}
    )


@pytest.fixture(scope="session", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """BentoML's store of these tests."""
    home = tmp_path_factory.mktemp("bentoml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        patch.delenv("MODELYARD_MODEL", raising=False)
        yield home


@pytest.fixture(scope="session")
def packed(folder: Path, settings: Settings) -> Packed:
    return pack(folder, settings)


@pytest.fixture(scope="session", params=["own", "bentoml"])
def server(
    packed: Packed, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """One server of each kind for all tests, started in an empty folder."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("empty"))
    try:
        with Server(packed.tag, bentoml=request.param == "bentoml") as running:
            os.chdir(before)
            yield running
    finally:
        os.chdir(before)
