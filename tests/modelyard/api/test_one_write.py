"""What goes out past uvicorn's `send` is what `send` would have written, and the connection goes on as after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from modelyard.api import one_write
from modelyard.api.endpoints import Answer
from modelyard.api.one_write import OneWrite

ANSWER = Answer(b'{"predictions":[]}')
REQUEST = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"


class Recorder(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, _: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def served(
    requests: bytes,
    answer: Answer = ANSWER,
    writer: OneWrite | None = None,
    access_log: bool = False,
    date: str = "Fri, 27 Nov 2026 22:00:00 GMT",
    paused: bool = False,
) -> tuple[Recorder, list[bool]]:
    """Answers requests of one connection under uvicorn; past its `send` where a writer is given and can.

    A paused connection has a full write buffer until the application has tried to answer.
    """
    past: list[bool] = []

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        past.append(writer is not None and writer.write(send, answer, b"id-1"))
        if past[-1]:
            return
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", b"id-1"),
            (b"x-content-type-options", b"nosniff"),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def talk() -> Recorder:
        config = uvicorn.Config(app, log_config=None, http=HttpToolsProtocol)
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", date.encode()), (b"server", b"uvicorn")]
        protocol = HttpToolsProtocol(config, state, {})
        protocol.access_log = access_log
        connection = Recorder()
        protocol.connection_made(connection)
        if paused:
            protocol.pause_writing()
        protocol.data_received(requests)
        if paused:
            while not past:
                await asyncio.sleep(0)
            assert connection.written == []
            protocol.resume_writing()
        while state.tasks:
            await asyncio.gather(*state.tasks)
            await asyncio.sleep(0)
        assert state.total_requests == len(past)
        protocol.connection_lost(None)
        return connection

    return asyncio.run(talk()), past


def test_an_answer_is_one_write_of_what_send_would_have_written() -> None:
    ours, past = served(REQUEST, writer=OneWrite())
    theirs, _ = served(REQUEST)
    assert past == [True]
    assert ours.written == [b"".join(theirs.written)]
    # or this is not worth its while any more
    assert len(theirs.written) == 2


def test_requests_in_one_piece_are_answered_in_turn() -> None:
    writer = OneWrite()
    ours, past = served(REQUEST * 3, writer=writer)
    theirs, _ = served(REQUEST * 3)
    assert past == [True] * 3
    assert b"".join(ours.written) == b"".join(theirs.written)


@pytest.mark.parametrize(
    ("request_bytes", "answer", "access_log"),
    [
        (REQUEST.replace(b"POST", b"HEAD"), ANSWER, False),
        (REQUEST.replace(b"Host", b"Connection: close\r\nHost"), ANSWER, False),
        (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), ANSWER, False),
        (REQUEST, Answer(b"{}", status=404), False),
        (REQUEST, Answer(b"{}", headers=((b"allow", b"GET"),)), False),
        (REQUEST, ANSWER, True),
    ],
    ids=["HEAD", "close", "HTTP/1.0", "status", "header", "access log"],
)
def test_what_uvicorn_has_to_look_after_is_left_to_it(request_bytes: bytes, answer: Answer, access_log: bool) -> None:
    ours, past = served(request_bytes, answer, OneWrite(), access_log)
    theirs, _ = served(request_bytes, answer, None, access_log)
    assert past == [False]
    assert (ours.written, ours.closed) == (theirs.written, theirs.closed)


def test_a_full_write_buffer_is_left_to_uvicorn_which_waits_until_it_drains() -> None:
    ours, past = served(REQUEST, writer=OneWrite(), paused=True)
    theirs, _ = served(REQUEST)
    assert past == [False]
    assert ours.written == theirs.written


def test_a_date_that_changes_is_sent() -> None:
    writer = OneWrite()
    for date in ("Fri, 27 Nov 2026 22:00:00 GMT", "Fri, 27 Nov 2026 22:00:01 GMT"):
        (written,) = served(REQUEST, writer=writer, date=date)[0].written
        assert f"\r\ndate: {date}\r\n".encode() in written


@pytest.mark.parametrize("of_another_kind", [lambda _: None, print])
def test_another_server_is_left_alone(of_another_kind: Callable[..., Any]) -> None:
    assert not OneWrite().write(of_another_kind, ANSWER, b"id-1")


def test_another_uvicorn_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OneWrite().possible
    monkeypatch.setattr(one_write, "STATE", one_write.STATE | {"moved_elsewhere"})
    assert not OneWrite().possible
    assert served(REQUEST, writer=OneWrite())[1] == [False]
