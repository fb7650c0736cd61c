"""Bodies of requests: read within a size and a time, and inflated within that size."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable, Mapping

from starlette.types import Message, Receive

from modelyard.api.problems import RequestProblem
from modelyard.api.settle import trim

__all__ = [
    "Disconnected",
    "InFlight",
    "announced_length",
    "inflate",
    "replay",
    "rest_of_body",
    "too_large",
    "too_slow",
]

SWEEP_S = 0.5
# a body from which on memory is given back after its request
LARGE_BYTES = 2**20
PATIENCE = 4
GZIP = 16 + zlib.MAX_WBITS


class Disconnected(Exception):  # no error: the client went away
    """The client is gone, so nobody waits for an answer."""


class InFlight:
    """The requests that are being answered, how long each may take to come in or go out, and their bodies' bytes.

    One sweep for all of them, since a timer for each costs as much as reading one does.

    Args:
        seconds: How long a client may take.
        max_bytes: Maximum bytes of all bodies.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._bytes = 0
        self._trim_due = False
        self._held: dict[asyncio.Task[None], int] = {}
        self._waiting: dict[asyncio.Task[None], float] = {}
        self._late: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        # looked up once: asking for the running loop is a system call in Python 3.11
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self) -> asyncio.Task[None]:
        """Begins a request; the client is waited for from now on."""
        task = asyncio.current_task(self._loop) if self._loop else None
        if task is None:
            self._loop = asyncio.get_running_loop()
            task = asyncio.current_task(self._loop)
            assert task is not None
        self._waiting[task] = time.perf_counter()
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return task

    def await_client(self, task: asyncio.Task[None], waited: bool) -> None:
        """Begins or ends a time in which the client, and not the service, is waited for."""
        self._waiting[task] = time.perf_counter() if waited else float("inf")

    def leave(self, task: asyncio.Task[None]) -> None:
        """Ends a request."""
        self._waiting.pop(task, None)
        if self._held:
            size = self._held.pop(task, 0)
            self._bytes -= size
            self._trim_due = self._trim_due or size >= LARGE_BYTES

    def hold(self, task: asyncio.Task[None], size: int) -> None:
        """Counts the body of a request until the request ends. A size that is not larger than before changes nothing.

        Args:
            task: Of the request.
            size: Bytes of its body that were announced or read, or to which it was inflated.

        Raises:
            RequestProblem: All bodies together would be larger than the limit (429).
        """
        held = self._held.get(task, 0)
        if size <= held:
            return
        others = self._bytes - held
        # one body is always let in, however small the limit
        if others and others + size > self._max_bytes:
            detail = f"bodies of {self._max_bytes:,} bytes are being read and answered already; try again in a second"
            raise RequestProblem(429, detail, headers={"Retry-After": "1", "Connection": "close"})
        self._held[task] = size
        self._bytes = others + size

    def hold_announced(self, task: asyncio.Task[None], headers: Mapping[bytes, bytes], limit: int) -> None:
        """Counts a body by its announced length; one longer than the limit is refused by its length, and never kept.

        Raises:
            RequestProblem: As `hold` does.
        """
        length = announced_length(headers)
        if length <= limit:
            self.hold(task, int(length))

    def was_late(self, task: asyncio.Task[None]) -> bool:
        """Whether a cancellation came from the sweep, which it then takes back."""
        if task not in self._late:
            return False
        self._late.discard(task)
        task.uncancel()
        return True

    def _sweep(self) -> None:
        self._sweeper = None
        if self._trim_due:
            # the pieces of a large body leave holes that the C library would keep
            self._trim_due = False
            trim()
        latest = time.perf_counter() - self._seconds
        for task, since in self._waiting.items():
            if since < latest and task not in self._late:
                self._late.add(task)
                task.cancel()
        if self._waiting:
            self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)


def announced_length(headers: Mapping[bytes, bytes]) -> float:
    """Returns the announced bytes of a body; one that comes in pieces may have any length."""
    if b"transfer-encoding" in headers:
        return float("inf")
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


async def rest_of_body(message: Message, receive: Receive, limit: int, hold: Callable[[int], None]) -> bytes:
    """Reads a body that did not come in one piece.

    What is too long is read on for a while: a client that still sends when the connection is closed may never see
    why.

    Args:
        message: The first piece.
        receive: Gives the others.
        limit: Most bytes.
        hold: Called with the bytes that are kept so far.

    Raises:
        RequestProblem: It is longer (413), or `hold` raised it.
        Disconnected: The client went away.
    """
    parts: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        part: bytes = message.get("body", b"")
        size += len(part)
        if size <= limit:
            hold(size)
            parts.append(part)
        else:
            parts.clear()
        if not message.get("more_body") or size > PATIENCE * limit:
            if size > limit:
                raise too_large(limit)
            return b"".join(parts)
        message = await receive()
    raise Disconnected


def replay(message: Message, receive: Receive) -> Receive:
    """Returns what gives a message that was received already, and then what follows it."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return receive_again


def inflate(body: bytes, limit: int) -> bytes:
    """Unpacks gzip.

    Raises:
        RequestProblem: It is no gzip (400), or longer than `limit` bytes (413).
    """
    inflater = zlib.decompressobj(wbits=GZIP)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise RequestProblem(400, f"the body is not gzip, as Content-Encoding says: {error}") from None
    if len(inflated) > limit:
        raise too_large(limit)
    if not inflater.eof or inflater.unused_data:
        raise RequestProblem(400, "the gzip body is cut off, or more follows it; send one whole gzip member")
    return inflated


def too_large(limit: int) -> RequestProblem:
    """The refusal of a body of more than so many bytes."""
    detail = f"the body is longer than {limit:,} bytes; send the rows in several requests"
    return RequestProblem(413, detail, headers={"Connection": "close"})


def too_slow(seconds: float) -> RequestProblem:
    """The refusal of a client that did not send its body in so many seconds."""
    return RequestProblem(408, f"the body did not come within {seconds:g} s", headers={"Connection": "close"})
