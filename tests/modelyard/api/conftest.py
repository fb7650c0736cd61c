from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from fastapi import FastAPI

from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from served_model import make_table, save_served

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return make_table()


@pytest.fixture(scope="session")
def folder(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", frame)


@pytest.fixture(scope="session")
def ask_app() -> Callable[[FastAPI], Ask]:
    """Asks an application in process; a fault is an answer, not an exception."""

    def bind(app: FastAPI) -> Ask:
        async def request(method: str, path: str, **arguments: Any) -> httpx.Response:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                return await client.request(method, path, **arguments)

        return lambda method, path, **arguments: asyncio.run(request(method, path, **arguments))

    return bind


@pytest.fixture(scope="session")
def ask(folder: Path, ask_app: Callable[[FastAPI], Ask]) -> Ask:
    settings = Settings.model_validate({"serving": {"max_rows": 250}})
    return ask_app(create_app(load_served(folder, settings), settings))
