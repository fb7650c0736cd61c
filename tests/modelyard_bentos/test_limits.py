"""The limits of `test_protocol` and `test_limits` of the API under BentoML's workers, which make their own uvicorn."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard_bentos.client import Server
from waiting import DEADLINE_S, until

BODY = json.dumps({"rows": [GOOD]}).encode()
PROBE = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LIMITS = {"max_connections": 4, "max_inflight_mb": 1, "client_timeout_s": 1.0, "idle_timeout_s": 1.0, "max_headers": 20}


@pytest.fixture(scope="module")
def limited(folder: Path) -> Iterator[Server]:
    with Server(folder, Settings.model_validate({"serving": LIMITS})) as server:
        yield server


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE_S)


def talk(server: Server, *pieces: bytes) -> bytes:
    """Sends pieces and reads until the server closes."""
    with connect(server) as connection:
        answer = b""
        for piece in pieces:
            connection.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
        return answer


def head(*lines: str, length: int = len(BODY)) -> bytes:
    first = ("POST /predict HTTP/1.1", "Content-Type: application/json", f"Content-Length: {length}")
    return "\r\n".join([*first, *lines, "", ""]).encode()


def test_connections_and_heads_have_limits(limited: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(connect(limited))
        assert talk(limited, PROBE).startswith(b"HTTP/1.1 200 ")
    assert talk(limited, head("Host: a")[:-10]).startswith(b"HTTP/1.1 408 ")
    assert talk(limited, head("Host: a", *["X: 1"] * 20)).startswith(b"HTTP/1.1 431 ")
    assert talk(limited, head("Host: a", "X: " + "x" * 20_000)).startswith(b"HTTP/1.1 431 ")
    assert talk(limited, head() + BODY).startswith(b"HTTP/1.1 400 ")
    assert talk(limited, head("Host: a", "Host: a") + BODY).startswith(b"HTTP/1.1 400 ")
    # after its answer it is idle
    assert talk(limited, head("Host: a") + BODY).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/predict", "/api/v1/nothing", "/nothing"])
def test_bodies_in_flight_have_a_limit(path: str, limited: Server) -> None:
    long = head("Host: a", length=2**20 * 3 // 4).replace(b"/predict", path.encode())
    with connect(limited) as first:
        first.sendall(long + b" ")
        until(lambda: talk(limited, long + b" ").startswith(b"HTTP/1.1 429 "))
        assert first.recv(9 + 3) == b"HTTP/1.1 408"


def test_an_upgrade_is_ignored(limited: Server) -> None:
    upgrade = head("Host: a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    for pieces in ([upgrade + BODY, PROBE], [upgrade, BODY, PROBE], [upgrade, BODY + PROBE]):
        assert re.findall(rb"HTTP/1\.1 (\d+)", talk(limited, *pieces)) == [b"200", b"200"]


def test_paths_make_no_series(limited: Server) -> None:
    def figures() -> str:
        return httpx.get(limited.url + "/metrics", timeout=DEADLINE_S).text

    def ask_around(client: httpx.Client) -> None:
        for prefix in ("/", "/api/v1/", "/page/", "/v2/", "/v2/models/"):
            client.get(f"{prefix}secret-{secrets.token_hex(8)}")
            client.request("SEARCH", prefix + "secret", content=b"{}")

    with httpx.Client(base_url=limited.url, timeout=DEADLINE_S) as client:
        ask_around(client)
        before = figures()
        for _ in range(30):
            ask_around(client)
    after = figures()
    assert "modelyard_requests_total" in after
    assert not any(word in after for word in ("secret", "SEARCH", "bentoml"))
    assert after.count("\n") == before.count("\n")


def test_no_redirect_names_the_host_of_the_request(limited: Server) -> None:
    for path in ("/docs/", "/api/v1/health/", "/docs.json/", "/schema.json/", "//evil/docs/", "/static_content"):
        answer = httpx.get(limited.url + path, headers={"Host": "evil"}, timeout=DEADLINE_S)
        assert "evil" not in answer.headers.get("location", ""), (path, answer.headers["location"])
