"""Requests that are wrong outside of their bodies, asked in process; `test_app` has the bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from malformed_bodies import MALFORMED
from malformed_requests import BODY, JSON, REQUESTS, MalformedRequest
from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings

Ask = Callable[..., httpx.Response]


@pytest.mark.parametrize("malformed", REQUESTS, ids=lambda malformed: malformed.name)
def test_a_malformed_request_is_refused_in_the_same_shape(malformed: MalformedRequest, ask: Ask) -> None:
    answer = ask(malformed.method, malformed.path, headers=malformed.headers, content=malformed.content)
    assert answer.status_code == malformed.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers.get("allow") == malformed.allow
    if malformed.method == "HEAD":
        return
    problem = answer.json()
    assert (problem["status"], problem["type"]) == (malformed.status, "about:blank")
    assert malformed.says in problem["detail"]
    assert tuple(error["path"] for error in problem["errors"]) == malformed.paths


def test_there_are_many() -> None:
    assert len(REQUESTS) + len(MALFORMED) > 100


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "APPLICATION/JSON"},
        {"Content-Type": "application/json;charset=UTF-8"},
        {**JSON, "Content-Encoding": "identity"},
        {**JSON, "Accept": "text/html", "X-Request-Id": "\x7f" * 300},
        {**JSON, **{f"X-{number}": "x" * 1000 for number in range(100)}},
    ],
    ids=["none", "capitals", "charset", "identity", "accept", "many"],
)
def test_what_is_only_unusual_is_answered(headers: dict[str, str], ask: Ask) -> None:
    assert ask("POST", "/predict?verbose=1", headers=headers, content=BODY).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "right"},
        {"Authorization": "Basic cmlnaHQ="},
        {"Authorization": "Bearer right right"},
        {"Authorization": "Bearer RIGHT"},
        {"Authorization": f"Bearer {hashlib.sha256(b'right').hexdigest()}"},
        {"Authorization": "Bearer " + "x" * 100_000},
        {"Authorization": "Bearer r\xefght"},
        {"X-API-Key": ""},
        {"X-API-Key": "Bearer right"},
        {"X-API-Key": "wrong", "Authorization": "Bearer right"},
        {"Cookie": "key=right"},
    ],
    ids=range(15),
)
def test_a_wrong_key_is_refused_before_anything_is_read(
    headers: dict[str, str], folder: Path, tmp_path: Path, ask_app: Callable[[FastAPI], Ask]
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"right").hexdigest())
    settings = Settings.model_validate({"serving": {"keys_file": str(keys)}})
    asked = ask_app(create_app(load_served(folder, settings), settings))
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    for method, path in (("POST", "/predict"), ("PUT", "/predict"), ("GET", "/api/v1/contract"), ("GET", "/nothing")):
        answer = asked(method, path, headers=encoded, content=b"{")
        assert (answer.status_code, answer.json()["title"]) == (401, "Unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert asked("POST", "/predict", headers={"Authorization": "bearer right"}, content=BODY).status_code == 200
