"""A bounded load on a server of this machine: connections that are kept alive and ask without a pause."""

from __future__ import annotations

import asyncio
import gc
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import numpy as np

from modelyard.errors import ServiceError

try:
    from uvloop import new_event_loop
except ImportError:  # there is none for this system
    new_event_loop = asyncio.new_event_loop  # type: ignore[assignment]

__all__ = ["Answers", "ask"]

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
OK = b"HTTP/1.1 200"
SHOWN = 300
LONGEST_ANSWER_S = 30.0


@dataclass(frozen=True)
class Answers:
    """What came back.

    Attributes:
        count: Answers.
        seconds: From the first request to the last answer.
        p50_ms: Median milliseconds from request to answer.
        p99_ms: The same for the slowest in a hundred.
        slowest_ms: The same for the slowest of all.
    """

    count: int
    seconds: float
    p50_ms: float
    p99_ms: float
    slowest_ms: float


def ask(
    url: str,
    body: bytes | None,
    *,
    connections: int,
    seconds: float,
    pause_s: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Answers:
    """Sends the same request again and again.

    Args:
        url: Where to, on this machine.
        body: What each request posts; none: it is a GET.
        connections: How many ask at the same time; each waits for its answer before it asks again.
        seconds: How long.
        pause_s: How long each waits after an answer.
        headers: Further headers; the content type is JSON unless they say another.

    Raises:
        ServiceError: An answer was not 200, or there was none.
    """
    parts = urlsplit(url)
    fields = {"Host": parts.netloc, "Content-Type": "application/json", **(headers or {})}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    method = "GET" if body is None else "POST"
    request = f"{method} {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")
    was_collecting = gc.isenabled()
    gc.disable()  # a pause of ours would count as the server's
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_ask(url, request, connections, seconds, pause_s))
    finally:
        if was_collecting:
            gc.enable()


async def _ask(url: str, request: bytes, connections: int, seconds: float, pause_s: float) -> Answers:
    loop, parts = asyncio.get_running_loop(), urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    began = time.perf_counter()
    clients = []
    for _ in range(connections):
        try:
            _, client = await loop.create_connection(
                lambda: _Client(request, began + seconds, pause_s), parts.hostname, parts.port
            )
        except OSError as error:
            raise ServiceError(f"{url} does not answer: {error}") from None
        clients.append(client)
    done = asyncio.gather(*(client.done for client in clients))
    try:
        await asyncio.wait_for(done, seconds + LONGEST_ANSWER_S)
    except (TimeoutError, ConnectionError) as error:
        raise ServiceError(f"{url} does not answer: {error or 'no answer in time'}") from None
    taken = np.concatenate([client.taken for client in clients])
    p50, p99, slowest = 1000 * np.percentile(taken, (50, 99, 100))
    return Answers(len(taken), time.perf_counter() - began, float(p50), float(p99), float(slowest))


class _Client(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends again."""

    def __init__(self, request: bytes, end: float, pause_s: float) -> None:
        self.taken: list[float] = []
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self._request, self._end, self._pause_s = request, end, pause_s
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent
        self._send()

    def data_received(self, data: bytes) -> None:
        answer = self._answer = self._answer + data if self._answer else data
        end_of_head = answer.find(b"\r\n\r\n")
        if end_of_head < 0 or (length := LENGTH.search(answer, 0, end_of_head)) is None:
            return
        if len(answer) < end_of_head + 4 + int(length[1]):
            return
        now = time.perf_counter()
        self.taken.append(now - self._sent)
        self._answer = b""
        if not answer.startswith(OK):
            self._finish(ServiceError(f"the server refused: {answer[:SHOWN].decode(errors='replace')}"))
        elif now >= self._end:
            self._finish()
        elif self._pause_s:
            self._loop.call_later(self._pause_s, self._send)
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the connection was closed"))

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def _finish(self, error: Exception | None = None) -> None:
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
        self._transport.close()
