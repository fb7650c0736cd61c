"""The lane under a real uvicorn, asked through sockets: what a client that misbehaves gets."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest

from figures import figure
from malformed_bodies import GOOD
from modelyard.api import one_write
from modelyard.api.app import create_app
from modelyard.api.endpoints import Answer, Scrape
from modelyard.api.lane import Lane
from modelyard.api.serving import Serving
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from served_model import json_rows
from uvicorn_thread import running
from waiting import DEADLINE_S, until

BODY = json.dumps({"rows": [GOOD]}).encode()


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[tuple[str, int, Serving]]:
    with running(folder, max_body_bytes=20_000, client_timeout_s=1.0) as found:
        yield found


@pytest.fixture
def client(service: tuple[str, int, Serving]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{service[0]}:{service[1]}", timeout=DEADLINE_S) as found:
        yield found


def head(length: int | None = len(BODY), *lines: str) -> bytes:
    given = ["POST /predict HTTP/1.1", "Host: a", "Content-Type: application/json", *lines]
    if length is not None:
        given.append(f"Content-Length: {length}")
    return "\r\n".join([*given, "", ""]).encode()


def talk(service: tuple[str, int, Serving], *pieces: bytes, close_writing: bool = False, quiet_s: float = 5.0) -> bytes:
    """Sends pieces and reads until the server closes, or a moment passes without more."""
    with socket.create_connection(service[:2], timeout=quiet_s) as connection:
        for piece in pieces:
            connection.sendall(piece)
        if close_writing:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
                connection.settimeout(0.5)
        except TimeoutError:
            pass
        return answer


def hold_scorer(serving: Serving) -> tuple[threading.Event, threading.Event]:
    """Makes the model wait; returns the event that it sets first and the one that it waits for."""
    scorer, entered, go = serving.served.model.scorer, threading.Event(), threading.Event()

    def held(matrix: Any) -> Any:
        entered.set()
        assert go.wait(DEADLINE_S)
        return scorer(matrix)

    serving.served.model.scorer = held
    return entered, go


def count(serving: Serving, name: str, **labels: str) -> float:
    serving.metrics.flush()
    return figure(serving.metrics.registry, name, **labels) or 0.0


def test_it_stands_in_front_of_the_application(service: tuple[str, int, Serving], client: httpx.Client) -> None:
    before = count(service[2], "modelyard_requests_total", route="/predict", code="200")
    answers = [client.post("/predict", content=BODY) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    # the application behind it would have counted once more
    assert count(service[2], "modelyard_requests_total", route="/predict", code="200") == before + 5
    assert count(service[2], "modelyard_handed_on_total") == 0


def test_request_ids_are_taken_over_or_made(client: httpx.Client) -> None:
    mine = {"X-Request-Id": "abc-1"}
    for method, path in (("POST", "/predict"), ("GET", "/api/v1/health"), ("GET", "/livez")):
        answer = client.request(method, path, content=BODY if method == "POST" else None, headers=mine)
        assert answer.headers["x-request-id"] == "abc-1"
        assert answer.headers["x-content-type-options"] == "nosniff"
    made = {
        client.get("/livez", headers=given).headers["x-request-id"] for given in ({}, {}, {"X-Request-Id": "x" * 200})
    }
    assert len(made) == 3
    assert all(len(one) < 40 for one in made)


def test_probes_and_methods(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/startupz", "/healthz"):
        assert client.get(path).text == "ok\n"
        assert (client.head(path).status_code, client.head(path).content) == (200, b"")
    refused = client.delete("/predict")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.json()["detail"] == "/predict does not answer DELETE; it answers POST"


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_past_the_limit_is_refused_where_the_client_can_see_it(declared: bool, client: httpx.Client) -> None:
    long = b" " * 70_000
    answer = client.post("/predict", content=long if declared else iter([long[:30_000], long[30_000:]]))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert answer.json()["detail"] == "the body is longer than 20,000 bytes; send the rows in several requests"


def test_a_client_that_asks_first_need_not_send_what_is_too_long(service: tuple[str, int, Serving]) -> None:
    answer = talk(service, head(10**9, "Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert talk(service, head(len(BODY), "Expect: 100-continue"), BODY).startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "
    )


def test_a_slow_body_is_not_waited_for(service: tuple[str, int, Serving]) -> None:
    began = time.monotonic()
    answer = talk(service, head(), BODY[:10])
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer
    assert b"the body did not come within 1 s" in answer
    assert time.monotonic() - began < 5


def test_heavy_work_is_not_counted_as_waiting_for_the_client(folder: Path) -> None:
    with running(folder, inline_ms=0, client_timeout_s=0.2) as service:
        entered, go = hold_scorer(service[2])
        answers: list[bytes] = []
        heavy = threading.Thread(target=lambda: answers.append(talk(service, head() + BODY, quiet_s=DEADLINE_S)))
        heavy.start()
        try:
            assert entered.wait(DEADLINE_S)
            # this client comes later: once it is timed out, the heavy request has outlived the timeout too
            assert talk(service, head(), BODY[:10]).startswith(b"HTTP/1.1 408 ")
        finally:
            go.set()
            heavy.join(DEADLINE_S)
        assert answers[0].startswith(b"HTTP/1.1 200 ")


def test_a_long_scrape_is_not_counted_as_waiting_for_the_client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go = threading.Event(), threading.Event()

    def answer(_: Scrape) -> Answer:
        entered.set()
        assert go.wait(DEADLINE_S)
        return Answer(b"figures")

    monkeypatch.setattr(Scrape, "answer", answer)
    with running(folder, client_timeout_s=0.2) as service:
        answers: list[bytes] = []
        request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
        scrape = threading.Thread(target=lambda: answers.append(talk(service, request, quiet_s=DEADLINE_S)))
        scrape.start()
        try:
            assert entered.wait(DEADLINE_S)
            # this client comes later: once it is timed out, the scrape has outlived the timeout too
            assert talk(service, head(), BODY[:10]).startswith(b"HTTP/1.1 408 ")
        finally:
            go.set()
            scrape.join(DEADLINE_S)
        assert answers[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "begun",
    [head(1_000_000) + b"{", head(None, "Transfer-Encoding: chunked") + b"ffff\r\n{"],
    ids=["declared", "chunked"],
)
def test_refusing_a_long_body_unread_closes_the_connection(folder: Path, tmp_path: Path, begun: bytes) -> None:
    keys = tmp_path / "keys"
    keys.write_text(hashlib.sha256(b"key").hexdigest())
    with running(folder, keys_file=str(keys)) as service:
        long = talk(service, begun)
        assert long.startswith(b"HTTP/1.1 401 ")
        assert b"\r\nconnection: close\r\n" in long
        short = talk(service, (head() + BODY) * 2)
        assert short.count(b"HTTP/1.1 401 ") == 2
        assert b"\r\nconnection: close\r\n" not in short


def test_gzip_is_inflated_within_the_limit(client: httpx.Client) -> None:
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert client.post("/predict", content=gzip.compress(BODY), headers=packed).status_code == 200
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 20_000
    assert client.post("/predict", content=bomb, headers=packed).status_code == 413
    for damaged in (BODY, gzip.compress(BODY)[:-4], gzip.compress(BODY) + b"x"):
        assert client.post("/predict", content=damaged, headers=packed).status_code == 400
    strange = client.post("/predict", content=BODY, headers={**packed, "Content-Encoding": "br"})
    assert (strange.status_code, "use gzip" in strange.json()["detail"]) == (415, True)


def test_pipelined_requests_are_answered_in_turn(service: tuple[str, int, Serving]) -> None:
    answer = talk(service, (head() + BODY) * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_a_client_may_close_its_half_of_the_connection(service: tuple[str, int, Serving]) -> None:
    answer = talk(service, head() + BODY, close_writing=True)

    assert answer.startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_goes_away_is_counted_and_nothing_else(service: tuple[str, int, Serving]) -> None:
    before = count(service[2], "modelyard_requests_total", route="/predict", code="499")
    failed = count(service[2], "modelyard_requests_total", route="/predict", code="500")
    with socket.create_connection(service[:2]) as connection:
        connection.sendall(head() + BODY[:10])
    until(lambda: count(service[2], "modelyard_requests_total", route="/predict", code="499") == before + 1)
    assert count(service[2], "modelyard_requests_total", route="/predict", code="500") == failed


def test_one_more_than_may_be_answered_at_a_time_is_told_to_come_back(folder: Path) -> None:
    with running(folder, max_concurrency=1) as service:
        url = f"http://{service[0]}:{service[1]}"
        with socket.create_connection(service[:2]) as waiting:
            waiting.sendall(head() + BODY[:10])
            until(lambda: httpx.post(f"{url}/predict", content=BODY).status_code == 429)
            refused = httpx.post(f"{url}/predict", content=BODY)
            assert refused.headers["retry-after"] == "1"
            # a busy process must be neither restarted nor out of sight
            for path in ("/livez", "/readyz", "/startupz", "/v2/health/live", "/v2/health/ready", "/metrics"):
                assert httpx.get(url + path).status_code == 200, path
            assert refused.json()["title"] == "Too Many Requests"
            waiting.sendall(BODY[10:])
            assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
        until(lambda: httpx.post(f"{url}/predict", content=BODY).status_code == 200)


def test_keys_are_needed_once_there_is_a_file_and_change_with_it(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"

    def write(*keys: str) -> None:
        turned = tmp_path / "new"
        turned.write_text("".join(f"{hashlib.sha256(key.encode()).hexdigest()}  owner\n" for key in keys))
        turned.replace(file)

    write("first", "second")
    with running(folder, keys_file=str(file)) as service:
        url = f"http://{service[0]}:{service[1]}"

        def code(path: str = "/predict", **headers: str) -> int:
            method = "POST" if path == "/predict" else "GET"
            return httpx.request(
                method, url + path, content=BODY if method == "POST" else None, headers=headers
            ).status_code

        assert code() == 401
        refused = httpx.post(f"{url}/predict", content=BODY, headers={"Authorization": "Basic first"})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert code(Authorization="Bearer first") == code(Authorization="bearer second") == 200
        assert code(**{"X-API-Key": "second"}) == 200
        assert code(**{"X-API-Key": "third"}) == code(**{"X-API-Key": ""}) == 401
        assert {path: code(path) for path in ("/docs", "/openapi.json", "/metrics", "/api/v1/health")} == {
            "/docs": 401,
            "/openapi.json": 401,
            "/metrics": 401,
            "/api/v1/health": 401,
        }
        assert code("/livez") == code("/readyz") == 200
        assert code("/api/v1/health", Authorization="Bearer first") == 200
        write("third")
        until(lambda: code(**{"X-API-Key": "third"}) == 200)
        # what was admitted last is remembered, but not beyond its key's end
        assert code(**{"X-API-Key": "second"}) == code(Authorization="Bearer first") == 401
        file.write_text("no digest\n")
        until(lambda: "the keys stay as they were" in caplog.text or code() == 0)
        assert code(**{"X-API-Key": "third"}) == 200


def test_scripts_of_other_origins_are_let_in_where_it_is_set(folder: Path, client: httpx.Client) -> None:
    ask = {"Origin": "https://a.org", "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.options("/predict", headers=ask).headers
    with running(folder, cors_origins=["https://a.org"]) as service:
        url = f"http://{service[0]}:{service[1]}/predict"
        assert httpx.options(url, headers=ask).headers["access-control-allow-origin"] == "https://a.org"
        assert httpx.options(url, headers={**ask, "Origin": "https://b.org"}).status_code == 400
        answer = httpx.post(url, content=BODY, headers={"Origin": "https://a.org"})
        assert answer.headers["access-control-allow-origin"] == "https://a.org"


def test_heavy_requests_leave_the_loop_to_others(folder: Path, frame: pd.DataFrame) -> None:
    with running(folder, inline_ms=0) as service:
        entered, go = hold_scorer(service[2])
        url = f"http://{service[0]}:{service[1]}"
        rows = json_rows(frame[:50], service[2].served.model.contract)
        answers: list[httpx.Response] = []
        thread = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}/predict", json={"rows": rows}, timeout=30))
        )
        thread.start()
        assert entered.wait(DEADLINE_S)
        assert httpx.get(f"{url}/livez").status_code == 200
        go.set()
        thread.join(DEADLINE_S)
        assert len(answers[0].json()["predictions"]) == 50


def test_a_request_may_ask_how_long_its_steps_took(client: httpx.Client) -> None:
    answer = client.post("/predict", json={"rows": [GOOD], "timing": True}).json()
    assert set(answer["timing"]) == {"decode_ms", "predict_ms"}
    assert "timing" not in client.post("/predict", json={"rows": [GOOD]}).json()


def test_a_framework_of_another_kind_is_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings()
    one = Serving(load_served(folder, settings), settings)
    handed: list[str] = []

    async def inner(scope: Any, *_: Any) -> None:
        handed.append(scope["type"])

    lane = Lane(inner, **one.lane)

    async def start() -> None:
        await lane({"type": "lifespan", "app": object()}, None, None)  # type: ignore[arg-type]

    asyncio.run(start())
    assert handed == ["lifespan"]
    assert "predictions stay behind its other middlewares" in caplog.text


def test_a_uvicorn_of_another_kind_is_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(one_write, "STATE", one_write.STATE | {"moved_elsewhere"})
    with running(folder) as (host, port, _):
        assert httpx.post(f"http://{host}:{port}/predict", content=BODY).status_code == 200
    assert caplog.text.count("answers take the way through its `send`") == 1


def test_what_was_answered_just_before_the_end_is_logged(folder: Path, tmp_path: Path) -> None:
    log = {"url": str(tmp_path / "log")}
    settings = Settings.model_validate({"serving": {"drain_seconds": 0, "prediction_log": log}})
    app = create_app(load_served(folder, settings), settings)

    async def live() -> None:
        told, said = asyncio.Queue[Any](), asyncio.Queue[Any]()
        life = asyncio.create_task(app({"type": "lifespan"}, told.get, said.put))
        await told.put({"type": "lifespan.startup"})
        await said.get()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            await asyncio.gather(*(client.post("/predict", content=BODY) for _ in range(20)))
        await told.put({"type": "lifespan.shutdown"})
        assert await said.get() == {"type": "lifespan.shutdown.complete"}
        await life

    asyncio.run(live())
    (file,) = (tmp_path / "log").rglob("*.parquet")
    assert pq.ParquetFile(file).metadata.num_rows == 20
