from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from browser.served_pages import ODD, Opened, Service, odd_table, open_page, served
from served_model import make_contract

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("people")) as found:
        yield found


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    frame = odd_table()
    contract = make_contract(frame, **{ODD["education-num"]: {"on_range": "refuse"}})
    with served(tmp_path_factory.mktemp("odd"), frame, contract) as found:
        yield found


@pytest.fixture
def opened(chromium: Browser, people: Service) -> Iterator[Opened]:
    found = open_page(chromium, people.url)
    yield found
    found.close()
