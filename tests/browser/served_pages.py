"""Services whose page a browser opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from playwright.sync_api import Browser, Page

from modelyard.data.contract import Contract
from served_model import make_contract, make_table, save_served
from uvicorn_thread import running

__all__ = [
    "ODD",
    "ODD_VALUE",
    "Opened",
    "Service",
    "large_table",
    "odd_table",
    "open_page",
    "predict",
    "request_of",
    "served",
]

# what a name or a category may be, and a page or a shell could trip over
ODD = {
    "age": "<b id=evil>age</b>",
    "education-num": "~1/a\"b'c",
    "model_config": "__proto__",
    "seen at": "größe 😀 $HOME `id`",
    "_copy": "  two  blanks ",
    "json": "\\n",
}
ODD_VALUE = 'it\'s "5" $HOME `id` \\ <i>!</i>'


@dataclass(frozen=True)
class Service:
    """A service that runs.

    Attributes:
        url: Where.
        contract: Of its model.
    """

    url: str
    contract: Contract

    def predict(self, row: dict[str, Any], **headers: str) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/api/v1/predict", json={"rows": [row]}, headers=headers).raise_for_status()
        prediction: dict[str, Any] = answer.json()["predictions"][0]
        return prediction


@dataclass
class Opened:
    """A page in a window of its own.

    Attributes:
        page: The page.
        troubles: Every complaint of the browser, and every request for another place.
    """

    page: Page
    troubles: list[str] = field(default_factory=list)

    def close(self) -> None:
        self.page.context.close()


@contextmanager
def served(
    folder: Path, frame: pd.DataFrame | None = None, contract: Contract | None = None, **serving: Any
) -> Iterator[Service]:
    """Serves a small model of a table.

    Args:
        folder: Where to save it.
        frame: The table; none: the binary one.
        contract: What its columns are; none: what they are inferred to be.
        serving: Settings of `serving`.
    """
    frame = make_table() if frame is None else frame
    contract = contract or make_contract(frame)
    with running(save_served(folder / "model", frame, contract), **serving) as (host, port, _):
        yield Service(f"http://{host}:{port}", contract)


def odd_table() -> pd.DataFrame:
    """A table of odd names, with an odd category."""
    frame = make_table()
    frame["model_config"] = frame["model_config"].replace("Private", ODD_VALUE)
    frame.insert(len(ODD), "told", ["true", "false"] * (len(frame) // 2))
    return frame.rename(columns=ODD)


def large_table() -> pd.DataFrame:
    """A table of many columns, categories and classes, with long names."""
    frame = make_table("regression")
    for number in range(24):
        frame[f"measurement_of_a_quantity_with_an_endless_name_{number}"] = np.arange(len(frame)) * 1e6 / 7**number
    frame["city"] = [f"city number {row % 40}" for row in range(len(frame))]
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(frame)), unit="D")
    frame["sure"] = [None if row % 5 == 0 else row % 2 == 0 for row in range(len(frame))]
    frame["target"] = [f"the_class_with_number_{row % 15}_and_a_long_name" for row in range(len(frame))]
    return frame


def open_page(
    chromium: Browser, url: str, width: int = 1024, scheme: str = "light", *, script: str = "", loaded: bool = True
) -> Opened:
    """Opens a service's page.

    Args:
        chromium: The browser.
        url: The service's.
        width: The window's.
        scheme: light or dark.
        script: Runs before the page's.
        loaded: Whether to wait for the form.
    """
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    if script:
        context.add_init_script(script)
    opened = Opened(page := context.new_page())
    found = opened.troubles
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("request", lambda request: found.append(request.url) if not request.url.startswith(url) else None)
    page.goto(url)
    if loaded:
        page.wait_for_selector("#columns:not([hidden])")
    return opened


def predict(page: Page) -> None:
    """Predicts what is filled in, and waits for all of the answer."""
    page.click("#predict")
    page.wait_for_selector("#answer:not([aria-busy])")
    page.wait_for_selector("#contributions:not([hidden])")


def request_of(page: Page) -> dict[str, Any]:
    """The row that the copied line would send."""
    line = page.inner_text("#curl").split("-d '")[1].rstrip("'").replace("'\\''", "'")
    row: dict[str, Any] = json.loads(line)["rows"][0]
    return row
