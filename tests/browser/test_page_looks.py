"""How the page to try a model on fits: every width, light and dark, and for readers who do not see it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from browser.served_pages import Opened, Service, large_table, open_page, served
from served_model import make_table

pytestmark = pytest.mark.browser

TABLES = {
    "binary": make_table,
    "multiclass": lambda: make_table("multiclass"),
    "regression": lambda: make_table("regression"),
    "large": large_table,
}
OUTSIDE = (
    "[...document.querySelectorAll('body *')].filter((one) => !one.matches('.skip, caption, thead, thead *') && "
    "one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.outerHTML.slice(0, 200))"
)
# controls that a finger could not hit
SMALL = (
    "[...document.querySelectorAll('button, select, input, summary')].filter((one) => one.checkVisibility() && "
    "one.type !== 'checkbox' && Math.min(...['width', 'height'].map((side) => one.getBoundingClientRect()[side])) < 20)"
    ".map((one) => one.outerHTML.slice(0, 200))"
)


@pytest.fixture(scope="module", params=list(TABLES))
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp(request.param), TABLES[request.param]()) as found:
        yield found


def violations(page: Page) -> list[str]:
    """What axe-core finds: the rule, and where."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


def check(opened: Opened, width: int) -> None:
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OUTSIDE) == []
    assert page.evaluate(SMALL) == []
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1600])
def test_it_fits_and_everybody_can_read_it(width: int, scheme: str, chromium: Browser, service: Service) -> None:
    opened = open_page(chromium, service.url, width, scheme)
    page = opened.page
    page.emulate_media(reduced_motion="reduce")
    check(opened, width)
    page.click("#fill-example")
    page.locator("#field-0").fill("120")
    page.click("#predict")
    page.wait_for_selector("#changes table")
    assert page.locator("#answer").bounding_box()["y"] < 700  # type: ignore[index]
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    check(opened, width)
    assert opened.troubles == []
    page.locator("#field-0").fill("0.5")
    page.click("#predict")
    page.wait_for_selector("#field-0[aria-invalid]")
    check(opened, width)
    opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_too(scheme: str, chromium: Browser, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"right").hexdigest())
    with served(tmp_path, keys_file=str(keys)) as guarded:
        opened = open_page(chromium, guarded.url, 390, scheme, loaded=False)
        opened.page.wait_for_selector("#key[open]")
        check(opened, 390)
        opened.page.click("#key-cancel")
        opened.page.wait_for_selector("#trouble:not([hidden])")
        check(opened, 390)
        opened.close()


def test_colours_follow_the_system(chromium: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as people:
        opened = open_page(chromium, people.url, 1024, "dark")
        seen = "getComputedStyle(document.documentElement).backgroundColor"
        dark = opened.page.evaluate(seen)
        opened.page.emulate_media(color_scheme="light")
        assert opened.page.evaluate(seen) != dark
        opened.close()
