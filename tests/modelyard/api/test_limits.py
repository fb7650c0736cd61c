"""Limits on requests: bytes of all bodies together, and what holds for the routes that the framework answers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import socket
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Request, WebSocket

from figures import figure
from malformed_bodies import GOOD
from modelyard.api import intake
from modelyard.api.intake import InFlight
from modelyard.api.problems import RequestProblem
from modelyard.api.serving import Serving
from uvicorn_thread import running
from waiting import DEADLINE_S, until

Service = tuple[str, int, Serving]
BODY = json.dumps({"rows": [GOOD]}).encode()
MEBIBYTE = 2**20
PATHS = ("/predict", "/v2/models/people/infer", "/api/v1/echo")
HOLD, RELEASE = threading.Event(), threading.Event()


@pytest.fixture
def router(monkeypatch: pytest.MonkeyPatch) -> str:
    module = types.ModuleType("limited_routers")
    router = APIRouter()

    @router.post("/api/v1/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @router.get("/api/v1/wait")
    def wait() -> str:
        HOLD.set()
        assert RELEASE.wait(DEADLINE_S)
        return "done"

    @router.websocket("/api/v1/socket")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    module.router = router  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "limited_routers", module)
    return "limited_routers:router"


def url(service: Service, path: str = "") -> str:
    return f"http://{service[0]}:{service[1]}{path}"


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", "Content-Type: application/json", *lines, "", ""]).encode()


@contextlib.contextmanager
def begun(service: Service, path: str, size: int = MEBIBYTE * 3 // 4) -> Iterator[socket.socket]:
    """A request that has sent the first byte of its body."""
    with socket.create_connection(service[:2], timeout=DEADLINE_S) as connection:
        connection.sendall(head(path, f"Content-Length: {size}") + b" ")
        yield connection


def status(connection: socket.socket) -> int:
    answer = b""
    while len(answer) < 12 and (part := connection.recv(65536)):
        answer += part
    return int(answer[9:12])


def ask(service: Service, sent: bytes) -> int:
    with socket.create_connection(service[:2], timeout=DEADLINE_S) as connection:
        connection.sendall(sent)
        return status(connection)


@pytest.fixture
def small(folder: Path, router: str) -> Iterator[Service]:
    with running(folder, routers=[router], max_inflight_mb=1, max_body_bytes=MEBIBYTE) as service:
        yield service


@pytest.mark.parametrize("path", PATHS)
def test_a_body_beyond_all_that_may_be_held_is_refused_before_it_is_read(path: str, small: Service) -> None:
    size = MEBIBYTE * 3 // 4
    with begun(small, path, size) as first:
        announced = head(path, f"Content-Length: {size}") + b" "
        until(lambda: ask(small, announced) == 429)
        assert ask(small, head(path, f"Content-Length: {size}", "Expect: 100-continue")) == 429
        refused = httpx.post(url(small, path), content=b" " * size)
        assert (refused.status_code, refused.headers["retry-after"], refused.headers["connection"]) == (
            429,
            "1",
            "close",
        )
        assert "bodies of 1,048,576 bytes are being read and answered already" in refused.json()["detail"]
        # chunks are counted as they come
        assert ask(small, head(path, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (size, b" " * size)) == 429
        # what is small is not counted
        assert httpx.post(url(small, "/predict"), content=BODY).status_code == 200
        assert httpx.get(url(small, "/livez")).status_code == 200
        first.sendall(b" " * (size - 1))
        assert status(first) in (200, 400)
    # a request that has ended, however it has, holds nothing
    with begun(small, path, size):
        until(lambda: ask(small, announced) == 429)
    until(lambda: httpx.post(url(small, "/api/v1/echo"), content=b" " * size).status_code == 200)


def test_what_a_body_is_inflated_to_is_counted(small: Service) -> None:
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    body = gzip.compress(BODY + b" " * (MEBIBYTE // 2))
    assert httpx.post(url(small, "/predict"), content=body, headers=packed).status_code == 200
    with begun(small, "/predict"):
        until(lambda: httpx.post(url(small, "/predict"), content=body, headers=packed).status_code == 429)
        assert httpx.post(url(small, "/predict"), content=gzip.compress(BODY), headers=packed).status_code == 200
    until(lambda: httpx.post(url(small, "/predict"), content=body, headers=packed).status_code == 200)


def test_one_body_is_let_in_however_small_the_limit() -> None:
    async def hold() -> None:
        in_flight = InFlight(10.0, 100)
        task = in_flight.enter()
        for size in (50, 90, 500, 20):
            in_flight.hold(task, size)
        other = asyncio.create_task(asyncio.sleep(0))
        with pytest.raises(RequestProblem, match="try again"):
            in_flight.hold(other, 1)
        in_flight.leave(task)
        in_flight.hold(other, 100)
        await other
        in_flight.leave(other)

    asyncio.run(hold())


def test_memory_is_given_back_after_large_bodies_only(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    monkeypatch.setattr(intake, "SWEEP_S", 0.001)

    async def hold(size: int) -> None:
        monkeypatch.setattr(intake, "trim", lambda: trims.append(size))
        in_flight = InFlight(10.0, 10 * MEBIBYTE)
        task = in_flight.enter()
        in_flight.hold(task, size)
        in_flight.leave(task)
        # the sweep's timer is due before this one
        await asyncio.sleep(0.01)

    for size in (MEBIBYTE - 1, MEBIBYTE):
        asyncio.run(hold(size))
    assert trims == [MEBIBYTE]


def test_routes_of_one_s_own_have_the_limits_of_a_body(folder: Path, router: str) -> None:
    with running(folder, routers=[router], max_body_bytes=100_000, client_timeout_s=1.0) as service:
        echo = url(service, "/api/v1/echo")
        for size in (0, 10, 70_000, 100_000):
            assert httpx.post(echo, content=b"x" * size).json() == size
            assert httpx.post(echo, content=iter([b"x" * size])).json() == size
        for content in (b"x" * 100_001, iter([b"x" * 60_000] * 2)):
            refused = httpx.post(echo, content=content)
            assert (refused.status_code, refused.json()["detail"][:28]) == (413, "the body is longer than 100,")
        assert ask(service, head("/api/v1/echo", "Content-Length: 100001", "Expect: 100-continue")) == 413
        # what no route answers is bounded too
        assert httpx.post(url(service, "/nothing"), content=b"x" * 100_001).status_code == 413
        with begun(service, "/api/v1/echo", 10) as slow:
            assert status(slow) == 408
        service[2].metrics.flush()
        registry = service[2].metrics.registry
        assert figure(registry, "modelyard_requests_total", route="other", code="413") == 4
        assert figure(registry, "modelyard_requests_total", route="other", code="408") == 1
        assert figure(registry, "modelyard_requests_total", route="/api/v1/echo", code="200") == 8


def test_routes_of_one_s_own_take_a_place_each(folder: Path, router: str) -> None:
    HOLD.clear()
    RELEASE.clear()
    # longer than a client may take: the time of a route is its own
    with running(folder, routers=[router], max_concurrency=1, client_timeout_s=0.2) as service:
        answers: list[httpx.Response] = []
        wait = url(service, "/api/v1/wait")
        thread = threading.Thread(target=lambda: answers.append(httpx.get(wait, timeout=DEADLINE_S)))
        thread.start()
        assert HOLD.wait(DEADLINE_S)
        for refused in (
            httpx.get(wait),
            httpx.get(url(service, "/docs")),
            httpx.post(url(service, PATHS[0]), content=BODY),
        ):
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert httpx.get(url(service, "/readyz")).status_code == 200
        threading.Event().wait(1.5)
        RELEASE.set()
        thread.join(DEADLINE_S)
        assert answers[0].json() == "done"
        until(lambda: httpx.post(url(service, PATHS[0]), content=BODY).status_code == 200)


def test_a_websocket_needs_a_key(folder: Path, router: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"right").hexdigest())
    handshake = (
        "GET /api/v1/socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n"
    )
    with running(folder, routers=[router], keys_file=str(keys)) as service:
        assert ask(service, handshake.format("").encode()) == 403
        assert ask(service, handshake.format("X-API-Key: wrong\r\n").encode()) == 403
        for line in ("X-API-Key: right\r\n", "Authorization: Bearer right\r\n"):
            with socket.create_connection(service[:2], timeout=DEADLINE_S) as connection:
                connection.sendall(handshake.format(line).encode())
                answer = b""
                while b"hello" not in answer and (part := connection.recv(65536)):
                    answer += part
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"hello" in answer
    with running(folder, routers=[router]) as service:
        assert ask(service, handshake.format("").encode()) == 101


def test_no_redirect_names_the_host_of_the_request(folder: Path) -> None:
    with running(folder) as service:
        for path in ("/docs/", "/api/v1/health/", "/livez/", "//evil/docs/"):
            answer = httpx.get(url(service, path), headers={"Host": "evil"})
            assert (answer.status_code, "location" in answer.headers) == (404, False), path
