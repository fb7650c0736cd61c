"""The page to try a model on, in a real Chromium: what it asks of the service, and what others may copy."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from browser.served_pages import ODD, ODD_VALUE, Opened, Service, open_page, predict, request_of, served
from modelyard_bentos.client import Server
from served_model import make_table, save_served

pytestmark = pytest.mark.browser

# no clipboard, as where a page comes over plain HTTP
NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"


def copied(page: Page, what: str) -> str:
    page.click(f"#copy-{what}")
    page.wait_for_selector(f"#copy-{what}:text('Copied')")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Service]:
    keys = tmp_path / "keys"
    keys.write_text(f"{hashlib.sha256(b'right').hexdigest()}  me\n")
    with served(tmp_path, keys_file=str(keys)) as found:
        yield found


@pytest.mark.parametrize("what", ["curl", "python"])
def test_the_copied_request_gives_the_same_answer(what: str, chromium: Browser, odd: Service, tmp_path: Path) -> None:
    if what == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not installed")
    opened = open_page(chromium, odd.url)
    page = opened.page
    assert [page.inner_text(f"#field-{place}-label") for place in (0, 1, 2)] == list(ODD.values())[:3]
    assert page.query_selector("#evil") is None
    page.click("#fill-example")
    page.locator("#field-2").select_option(label=ODD_VALUE)
    predict(page)
    assert page.query_selector("#changes i, #evil") is None
    label = page.inner_text(".outcome")
    if what == "python":
        page.click("summary:text('Python')")
    text = copied(page, what)
    command = ["sh", "-c", text] if what == "curl" else [sys.executable, "-W", "error", "-c", text]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    row = request_of(page)
    assert row["__proto__"] == ODD_VALUE
    assert row["told"] is (odd.contract.example["told"] == "true")
    expected = odd.predict(row)
    assert str(expected["label"]) == label
    answered = json.loads(done.stdout)["predictions"][0] if what == "curl" else eval(done.stdout)
    assert answered == expected
    assert opened.troubles == []
    opened.close()


def test_copying_works_without_a_clipboard(chromium: Browser, people: Service) -> None:
    opened = open_page(chromium, people.url, script=NO_CLIPBOARD)
    page = opened.page
    page.click("#copy-curl")
    page.wait_for_selector("#copy-curl:text('Copied')")
    page.locator("#field-3").fill("")
    page.locator("#field-3").press("Control+V")
    assert page.input_value("#field-3").startswith(f"curl '{people.url}/api/v1/predict'")
    opened.close()


def test_a_key_is_asked_for_where_one_is_needed(chromium: Browser, guarded: Service, tmp_path: Path) -> None:
    page = open_page(chromium, guarded.url, loaded=False).page
    page.wait_for_selector("#key[open]")
    page.fill("#key-text", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#key-wrong:not(:empty)")
    assert page.inner_text("#key-wrong") == "The service does not know this key."
    page.fill("#key-text", "right")
    page.click("text=Use it")
    page.wait_for_selector("#columns:not([hidden])")
    page.reload()
    page.wait_for_selector("#columns:not([hidden])")
    predict(page)
    text = copied(page, "curl")
    assert "right" not in text
    if shutil.which("curl"):
        environment = {**os.environ, "MODELYARD_KEY": "right"}
        done = subprocess.run(
            ["sh", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        expected = guarded.predict(request_of(page), Authorization="Bearer right")
        assert json.loads(done.stdout)["predictions"] == [expected]
    page.click("#forget")
    page.click("#predict")
    page.wait_for_selector("#key[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#refused:text('The service needs a key.')")
    page.reload()
    page.wait_for_selector("#key[open]")
    page.click("#key-cancel")
    page.wait_for_selector("#trouble:not([hidden])")
    page.click("#again")
    page.fill("#key-text", "right")
    page.keyboard.press("Enter")
    page.wait_for_selector("#columns:not([hidden])")
    page.context.close()


def test_contributions_come_in_as_many_requests_as_the_service_wants(chromium: Browser, tmp_path: Path) -> None:
    with served(tmp_path, max_rows=2) as service:
        opened = open_page(chromium, service.url)
        sent: list[int] = []
        opened.page.on(
            "request",
            lambda request: sent.append(len(request.post_data_json["rows"])) if request.method == "POST" else None,
        )
        opened.page.click("#fill-example")
        opened.page.locator("#field-0").fill("20")
        predict(opened.page)
        assert len(sent) >= 3
        assert max(sent) == 2
        assert sum(sent[1:]) == opened.page.locator("#changes tbody tr").count()
        opened.close()


def test_an_answer_stays_where_its_contributions_fail(opened: Opened) -> None:
    page = opened.page
    page.click("#fill-example")
    # a proxy in between has had enough
    page.route(
        "**/predict",
        lambda route: (
            route.continue_() if "timing" in route.request.post_data_json else route.fulfill(status=503, body="{}")
        ),
    )
    predict(page)
    assert page.inner_text("#contributions-says") == "The service answered 503."
    assert page.locator("#drawing tbody tr").count() == 2


def test_the_strip_shows_what_this_replica_answered(opened: Opened) -> None:
    page = opened.page
    page.wait_for_selector("#live-rate:not(:text-is('–'))")
    assert page.inner_text("#live-rate") == "0 / s"
    predict(page)
    page.wait_for_selector("#live-p99:text('ms')")
    assert page.inner_text("#live-rate") != "0 / s"
    assert page.inner_text("#live-errors") == "0.0%"
    assert page.inner_text("#live-window").startswith("last ")


def test_the_strip_rests_while_nobody_looks(chromium: Browser, people: Service) -> None:
    sent: list[str] = []
    hidden = "Object.defineProperty(document, 'visibilityState', { value: 'hidden' })"
    for script, expected in ((hidden, False), ("", True)):
        opened = open_page(chromium, people.url, script=script)
        opened.page.on("request", lambda request: sent.append(request.url))
        predict(opened.page)
        opened.page.reload()
        predict(opened.page)
        assert any(url.endswith("/api/v1/live") for url in sent) == expected
        opened.close()


def test_a_service_that_is_gone_is_said(chromium: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as service:
        opened = open_page(chromium, service.url)
    opened.page.click("#predict")
    opened.page.wait_for_selector("#refused:visible")
    assert "The service does not answer" in opened.page.inner_text("#refused")
    opened.close()


def test_a_bento_has_it_too(chromium: Browser, tmp_path: Path) -> None:
    with Server(save_served(tmp_path / "people", make_table())) as server:
        opened = open_page(chromium, server.url)
        predict(opened.page)
        assert opened.page.inner_text("h1") == "people"
        assert opened.troubles == []
        opened.close()
