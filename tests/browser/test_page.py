"""The page to try a model on, in a real Chromium: filled, predicted, refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from browser.served_pages import Opened, Service, open_page, predict, request_of, served
from served_model import make_table

pytestmark = pytest.mark.browser

TASKS = ("binary", "multiclass", "regression", "instant")
# of bars, the share that is drawn
DRAWN = "(bar) => parseFloat(getComputedStyle(bar, '::before').width) / bar.getBoundingClientRect().width"


@pytest.fixture(scope="module", params=TASKS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp(request.param), make_table(request.param)) as found:
        yield found


def figures(page: Page, place: str) -> dict[str, str]:
    rows = page.query_selector_all(f"{place} tbody tr")
    return {row.query_selector("th").text_content(): row.inner_text().split()[-1] for row in rows}  # type: ignore[union-attr, misc]


def test_a_row_is_predicted_and_drawn(chromium: Browser, service: Service) -> None:
    opened = open_page(chromium, service.url)
    page = opened.page
    medians = request_of(page)
    page.click("#fill-example")
    page.get_by_label("age", exact=True).fill("61")
    predict(page)
    row = request_of(page)
    assert row == {**service.contract.example, "age": 61, "json": str(service.contract.example["json"])}
    prediction = service.predict(row)
    outcome, probabilities = page.inner_text(".outcome"), prediction.get("probabilities")
    if probabilities is None:
        left, width = page.locator(".marker").bounding_box(), page.locator(".track").bounding_box()
        low, high = service.contract.target.minimum, service.contract.target.maximum
        assert low is not None
        assert high is not None
        assert float(outcome.replace(",", "")) == pytest.approx(prediction["value"], abs=(high - low) / 1000)
        at = (left["x"] + left["width"] / 2 - width["x"]) / width["width"]  # type: ignore[index]
        assert at == pytest.approx((prediction["value"] - low) / (high - low), abs=0.01)
    else:
        assert outcome == str(prediction["label"])
        assert figures(page, "#drawing") == {name: f"{100 * share:.1f}%" for name, share in probabilities.items()}
        shown = [page.eval_on_selector(f"#drawing tr:nth-child({place}) .bar", DRAWN) for place in (1, 2)]
        assert shown == pytest.approx(sorted(probabilities.values(), reverse=True)[:2], abs=0.02)
        assert page.inner_text("#drawing .best th") == str(prediction["label"])
    assert len(page.query_selector_all("#latency dd")) == 3
    changed = [name for name in row if row[name] != medians[name]]
    assert len(changed) >= 4
    others = {name: service.predict({**row, name: medians[name]}) for name in changed}
    expected = {name: measure(prediction, prediction) - measure(other, prediction) for name, other in others.items()}
    names = page.locator("#changes th[scope=row]").evaluate_all("(all) => all.map((one) => one.firstChild.data)")
    assert names == sorted(changed, key=lambda name: -abs(expected[name]))
    drawn = page.locator("#changes .number").all_inner_texts()
    scale = 100 if probabilities else 1
    for name, text in zip(names, drawn, strict=True):
        assert float(text.replace("−", "-").replace("+", "")) == pytest.approx(
            expected[name] * scale, rel=0.01, abs=0.06
        )
    assert opened.troubles == []
    opened.close()


def measure(prediction: dict[str, Any], of: dict[str, Any]) -> float:
    """A value, or the probability of the label of another prediction."""
    if "value" in prediction:
        return float(prediction["value"])
    return float(prediction["probabilities"][str(of["label"])])


def test_it_begins_at_the_median_row(opened: Opened) -> None:
    frame = make_table()
    row = request_of(opened.page)
    for name in ("age", "education-num"):
        assert row[name] == np.quantile(frame[name].dropna(), 0.5, method="inverted_cdf"), name
    assert row["model_config"] == frame["model_config"].mode()[0]
    assert row["_copy"] == bool(frame["_copy"].mode()[0])
    # edges of dates have 128 s in 32 bits, and are shown in minutes
    middle = frame["seen at"].sort_values().iloc[(len(frame) - 1) // 2]
    assert (
        abs((np.datetime64(row["seen at"].removesuffix("Z")) - middle.to_datetime64()) / np.timedelta64(1, "s")) < 130
    )
    predict(opened.page)
    assert "at its median" in opened.page.inner_text("#contributions-says")
    assert opened.page.query_selector("#changes *") is None


def test_wrong_fields_are_marked_where_they_are(opened: Opened) -> None:
    page = opened.page
    age, seen = page.get_by_label("age", exact=True), page.get_by_label("seen at")
    age.fill("40.5")
    seen.fill("soon")
    page.click("#predict")
    page.wait_for_selector("#refused:not(:empty)")
    assert age.get_attribute("aria-invalid") == seen.get_attribute("aria-invalid") == "true"
    assert page.inner_text("#field-0-wrong") == "Expected a whole number or null, not 40.5."
    assert page.inner_text("#field-3-wrong") == 'Expected an ISO 8601 date or time or null, not "soon".'
    assert "field-0-wrong" in str(age.get_attribute("aria-describedby"))
    assert page.evaluate("document.activeElement.id") == "field-0"
    assert page.inner_text("#refused") == "2 fields need another value."
    assert page.query_selector("#drawing table") is None
    age.fill("40")
    assert age.get_attribute("aria-invalid") is None
    assert page.inner_text("#field-0-wrong") == ""
    seen.fill("2024-02-01")
    predict(page)
    assert page.query_selector("[aria-invalid]") is None
    assert page.inner_text("#refused") == ""


def test_what_is_no_number_is_not_sent(opened: Opened) -> None:
    page = opened.page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_label("age", exact=True).fill("")
    page.get_by_label("age", exact=True).press_sequentially("4-e")
    page.click("#predict")
    page.wait_for_selector("#field-0[aria-invalid]")
    assert page.inner_text("#field-0-wrong") == "Expected a number."
    assert sent == []


def test_values_outside_the_training_are_remarked_on(opened: Opened) -> None:
    page = opened.page
    page.get_by_label("age", exact=True).fill("120")
    assert page.inner_text("#field-0-hint").startswith("outside 17 to ")
    page.click("#fill-median")
    assert page.inner_text("#field-0-hint").startswith("17 to ")


def test_a_nullable_field_can_be_none(opened: Opened) -> None:
    page = opened.page
    page.get_by_label("none for education-num").check()
    assert page.locator("#field-1").is_disabled()
    page.get_by_label("model_config").select_option(label="none")
    row = request_of(page)
    assert row["education-num"] is row["model_config"] is None
    predict(page)
    assert "none in place of 9.47" in page.inner_text("#changes")
    page.click("#fill-median")
    assert page.locator("#field-1").is_enabled()


def test_odd_columns_are_marked_too(chromium: Browser, odd: Service) -> None:
    opened = open_page(chromium, odd.url)
    page = opened.page
    page.locator("#field-0").fill("1.5")
    page.locator("#field-3").fill("never")
    page.click("#predict")
    page.wait_for_selector("#field-0[aria-invalid]")
    assert page.get_attribute("#field-3", "aria-invalid") == "true"
    page.click("#fill-median")
    page.locator("#field-1").fill("99")
    page.click("#predict")
    page.wait_for_selector("#field-1[aria-invalid]")
    assert page.inner_text("#field-1-wrong") == "Expected a number from 1.87 to 18.61 or null, not 99."
    opened.close()


def test_the_keyboard_is_enough(chromium: Browser, people: Service) -> None:
    opened = open_page(chromium, people.url)
    page, press = opened.page, opened.page.keyboard.press
    press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the form"
    press("Enter")
    reached = []
    for _ in range(12):
        press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.type"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or reached[-1] == "radio", reached
        if reached[-1] == "field-0":
            page.keyboard.type("62")
        elif reached[-1] == "radio":
            press("ArrowRight")
        elif reached[-1] == "predict":
            break
    buttons, fields = (
        ["fill-median", "fill-example"],
        ["field-0", "checkbox", *(f"field-{place}" for place in (1, 2, 3))],
    )
    assert reached == [*buttons, *fields, "radio", "field-5", "predict"]
    before = request_of(page)
    press("Enter")
    page.wait_for_selector(".outcome")
    assert request_of(page) == before
    assert (before["age"], before["_copy"]) == (62, False)
    for _ in range(12):
        press("Tab")
        if page.evaluate("document.activeElement.id") == "copy-curl":
            press("Space")
            break
    page.wait_for_selector("#copy-curl:text('Copied')")
    # a form is sent from its fields too
    page.locator("#field-0").fill("33")
    page.locator("#field-0").press("Enter")
    page.wait_for_selector("#changes :text('33 in place of')")
    opened.close()
