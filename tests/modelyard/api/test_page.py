"""The page to try a model on, as a browser is given it, and the counts that it asks for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from malformed_bodies import GOOD
from modelyard.api import page
from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings

Ask = Callable[..., httpx.Response]
FILES = sorted(page.FILES.iterdir())
# it is a name, and nobody asks for it
NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'


@pytest.fixture
def ask_with(folder: Path, ask_app: Callable[[FastAPI], Ask]) -> Callable[..., Ask]:
    """Asks an application with such settings of `serving`."""

    def make(**serving: Any) -> Ask:
        settings = Settings.model_validate({"serving": serving})
        return ask_app(create_app(load_served(folder, settings), settings))

    return make


@pytest.fixture
def keys_file(tmp_path: Path) -> str:
    file = tmp_path / "keys"
    file.write_text(f"{hashlib.sha256(b'secret').hexdigest()}  owner\n")
    return str(file)


@pytest.mark.parametrize("path", sorted(page.PAGE_PATHS))
def test_files_are_sent_safely_and_again_only_when_they_changed(path: str, ask: Ask) -> None:
    answer = ask("GET", path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = ask("GET", path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert ask("GET", path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert ask("HEAD", path).headers["etag"] == answer.headers["etag"]


def test_every_file_is_served_as_what_it_is(ask: Ask) -> None:
    types = {path: ask("GET", path).headers["content-type"] for path in page.PAGE_PATHS}
    assert len(types) == len(FILES)
    assert types["/"] == "text/html; charset=utf-8"
    assert types["/page/page.css"] == "text/css; charset=utf-8"
    assert types["/page/page.js"] == "text/javascript; charset=utf-8"
    assert types["/page/icon.svg"] == "image/svg+xml"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_asks_elsewhere_or_builds_a_page_of_texts(file: Path) -> None:
    text = file.read_text().replace(NAMESPACE, "")
    assert re.findall(r"(?:https?:|[\"'(])//\w", text) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text) == []
    assert re.findall(r"<style|<script(?![^>]* src=)|\son\w+=\"|\sstyle=", text) == []


def test_what_the_files_name_is_there(ask: Ask) -> None:
    index = ask("GET", "/").text
    named = set(re.findall(r'(?:src|href)="(page/[^"]+)"', index))
    for file in FILES:
        named |= {f"page/{name}" for name in re.findall(r'from "\./(\w+\.js)"', file.read_text())}
    assert {f"/{name}" for name in named} == page.PAGE_PATHS - {"/"}
    ids = set(re.findall(r'\bid="([\w-]+)"', index))
    found = {name for file in FILES for name in re.findall(r'\bfind\("([\w-]+)"\)', file.read_text())}
    assert found - ids == set()


def test_the_page_knows_how_many_rows_a_request_may_have(ask_with: Callable[..., Ask]) -> None:
    assert '<meta name="max-rows" content="7">' in ask_with(max_rows=7)("GET", "/").text


def test_it_can_be_turned_off(ask_with: Callable[..., Ask]) -> None:
    asked = ask_with(page=False)
    for path in (*page.PAGE_PATHS, "/api/v1/live"):
        answer = asked("GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
        assert answer.json()["detail"] == f"there is nothing at {path}; /docs lists what there is"
    assert "/api/v1/live" not in asked("GET", "/openapi.json").json()["paths"]


def test_it_is_open_where_the_api_needs_a_key(ask_with: Callable[..., Ask], keys_file: str) -> None:
    asked = ask_with(keys_file=keys_file)
    for path in page.PAGE_PATHS:
        assert (asked("GET", path).status_code, asked("HEAD", path).status_code) == (200, 200), path
        assert asked("POST", path).status_code == 401, path
    for path in ("/api/v1/contract", "/api/v1/models", "/api/v1/live", "/docs", "/page/", "/page/other.js"):
        assert asked("GET", path).status_code == 401, path
    assert asked("POST", "/api/v1/predict", json={"rows": [GOOD]}).status_code == 401
    assert asked("GET", "/api/v1/live", headers={"Authorization": "Bearer secret"}).status_code == 200
    assert ask_with(keys_file=keys_file, page=False)("GET", "/").status_code == 401


def test_a_router_of_one_s_own_never_gets_open_by_its_path(
    folder: Path, ask_app: Callable[[FastAPI], Ask], keys_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = APIRouter()
    router.add_api_route("/", lambda: "mine", methods=["GET", "POST"])
    monkeypatch.setattr(page, "own_router", router, raising=False)
    settings = Settings.model_validate(
        {"serving": {"keys_file": keys_file}, "api": {"routers": [f"{page.__name__}:own_router"]}}
    )
    asked = ask_app(create_app(load_served(folder, settings), settings))
    assert "mine" not in asked("GET", "/").text
    assert asked("POST", "/").status_code == 401
    assert asked("POST", "/", headers={"X-API-Key": "secret"}).json() == "mine"


def test_live_counts_predictions_and_nothing_else(ask_with: Callable[..., Ask]) -> None:
    asked = ask_with()
    first = asked("GET", "/api/v1/live").json()
    assert first["requests"] == {"2xx": 0}
    assert {bucket["requests"] for bucket in first["buckets"]} == {0}
    for path in ("/api/v1/predict", "/predict", "/v2/models/people/infer"):
        asked("POST", path, json={"rows": [GOOD]})
    for path in ("/", "/page/page.js", "/api/v1/live", "/api/v1/health", "/metrics", "/livez"):
        assert asked("GET", path).status_code == 200
    live = asked("GET", "/api/v1/live").json()
    assert live["requests"] == {"2xx": 2, "4xx": 1}
    counts = [bucket["requests"] for bucket in live["buckets"]]
    assert counts == sorted(counts)
    assert counts[-1] == 3
    bounds = [bucket["seconds"] for bucket in live["buckets"]]
    assert bounds[:-1] == sorted(bounds[:-1])
    assert bounds[-1] is None
    assert live["replica"] == first["replica"] != ask_with()("GET", "/api/v1/live").json()["replica"]


def test_live_is_in_the_document(ask: Ask) -> None:
    document = ask("GET", "/openapi.json").json()
    assert {"/", "/page/page.js"} & set(document["paths"]) == set()
    answer = document["paths"]["/api/v1/live"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Live"}
    assert set(document["components"]["schemas"]["Live"]["required"]) == {"replica", "requests", "buckets"}
