"""What no service may answer but by refusing it, sent to a real server; `test_service` has the bodies."""

from __future__ import annotations

import socket

import httpx
import pytest

from malformed_requests import BODY, JSON, RAW, REQUESTS, RawRequest
from modelyard_bentos.client import Server

WAIT_S = 30.0


def talk(server: Server, sent: bytes) -> bytes:
    """Sends bytes, says that no more will come, and reads what comes back."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)
        while b"\r\n\r\n" not in answer and (part := connection.recv(65536)):
            answer += part
        return answer


def test_malformed_requests_are_refused_in_the_same_shape(server: Server) -> None:
    wrong = {}
    with httpx.Client(base_url=server.url, timeout=WAIT_S) as client:
        for malformed in REQUESTS:
            answer = client.request(
                malformed.method, malformed.path, headers=malformed.headers, content=malformed.content
            )
            if malformed.status == 404 and not malformed.path.startswith("/api/v1/"):
                # BentoML has pages of its own there
                assert answer.status_code == 404
                continue
            found = (answer.status_code, answer.headers.get("content-type"), answer.headers.get("allow"))
            expected = (malformed.status, "application/problem+json", malformed.allow)
            problem = answer.json() if found == expected and malformed.method != "HEAD" else {}
            paths = tuple(error["path"] for error in problem.get("errors", ()))
            if found != expected or paths != malformed.paths or malformed.says not in problem.get("detail", ""):
                wrong[malformed.name] = (*found, answer.text)
    assert wrong == {}


@pytest.mark.parametrize("raw", RAW, ids=lambda raw: raw.name)
def test_bytes_that_are_no_request_are_refused(raw: RawRequest, server: Server) -> None:
    assert talk(server, raw.sent).startswith(b"HTTP/1.1 %d " % raw.status)
    assert httpx.post(server.url + "/predict", content=BODY, headers=JSON, timeout=WAIT_S).status_code == 200


def test_headers_of_any_length_are_no_fault(server: Server) -> None:
    for length in (8_000, 70_000, 1_000_000):
        answer = httpx.post(
            server.url + "/predict", content=BODY, headers={**JSON, "X-Long": "x" * length}, timeout=WAIT_S
        )
        assert answer.status_code in (200, 400, 431)
