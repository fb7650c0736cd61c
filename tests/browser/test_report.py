"""The report in a real browser, wide and narrow: drawn, complete, and talking to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browser.report_runs import make_report

pytestmark = pytest.mark.browser

# SVG paths and points of a plot; an empty one has its frame and little else
MARKS = "(box) => box.querySelectorAll('.plot path, .plot rect, .plot image, .hm').length"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {task: make_report(folder, task) for task in ("binary", "multiclass", "regression")}


def open_page(chromium: Browser, report: Path, width: int, scheme: str = "light") -> tuple[Page, list[str]]:
    """Opens a report; the list gets every complaint and every request for something else."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, troubles = context.new_page(), []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url) if request.url != report.as_uri() else None)
    page.goto(report.as_uri())
    # a selector, because the page's policy forbids the evaluation that waiting for a function needs
    page.wait_for_selector(f".plot:not([data-drawn={scheme}])", state="detached")
    return page, troubles


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_report_is_drawn_and_fits(chromium: Browser, reports: dict[str, Path], task: str, width: int) -> None:
    page, troubles = open_page(chromium, reports[task], width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        "[...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll') && "
        "one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.className.baseVal ?? one.className)"
    )
    assert outside == []
    plots = page.query_selector_all(".plot")
    assert len(plots) >= 8
    for plot in plots:
        box = plot.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert plot.evaluate(MARKS) >= 2, plot.get_attribute("id")
    assert troubles == []
    page.context.close()


def test_hostile_names_stay_text(chromium: Browser, reports: dict[str, Path]) -> None:
    page, _ = open_page(chromium, reports["binary"], 1280)
    assert page.query_selector("main b") is None
    assert "</script><b>bold</b>" in page.inner_text("#data")
    page.context.close()


def test_colours_follow_the_system(chromium: Browser, reports: dict[str, Path]) -> None:
    page, troubles = open_page(chromium, reports["regression"], 1280, "dark")
    seen = "[getComputedStyle(document.documentElement).backgroundColor, " + (
        "document.getElementById('plot-learning').layout.font.color]"
    )
    dark = page.evaluate(seen)
    page.emulate_media(color_scheme="light")
    page.wait_for_selector("#plot-learning[data-drawn=light]")
    light = page.evaluate(seen)
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    assert troubles == []
    page.context.close()


def test_the_keyboard_reaches_the_report(chromium: Browser, reports: dict[str, Path]) -> None:
    page, _ = open_page(chromium, reports["binary"], 390)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    visible = page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    assert visible
    named = page.evaluate(
        "[...document.querySelectorAll('.scroll')].every((one) => one.tabIndex === 0 && one.ariaLabel) && "
        "[...document.querySelectorAll('table')].every((one) => one.caption && one.querySelector('th[scope=col]'))"
    )
    assert named
    page.context.close()
