"""Requests by bare sockets: an attacker sends what no HTTP client would."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from modelyard.data.contract import Contract

__all__ = ["PREDICT", "Answer", "Target", "ask_all", "check", "head"]

ANSWER_S = 60.0
# a refusal that is longer than this would amplify
LONGEST_REFUSAL = 128 * 1024
PREDICT = "/api/v1/predict"


@dataclass(frozen=True)
class Answer:
    """A response; its status is 0 if the service closed the connection instead."""

    status: int
    head: bytes = b""
    body: bytes = b""


@dataclass(frozen=True)
class Target:
    """A service that is attacked.

    Attributes:
        host: Its address.
        port: Its port.
        contract: Of its model.
        headers: With a key that it knows.
    """

    host: str
    port: int
    contract: Contract
    headers: Mapping[str, str] = field(default_factory=dict)

    def connect(self, receive_bytes: int | None = None) -> socket.socket:
        """Returns a connection; with a small receive buffer, a client that reads slowly."""
        connection = socket.socket()
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.settimeout(ANSWER_S)
        connection.connect((self.host, self.port))
        return connection

    def head(self, method: str, path: str, *lines: str, length: int | None = None) -> bytes:
        """Returns the head of a request with a known key."""
        return head(method, path, *(f"{name}: {value}" for name, value in self.headers.items()), *lines, length=length)

    def post(self, path: str, body: bytes, *lines: str) -> bytes:
        """Returns a whole request with a known key."""
        given = [*lines]
        if not any(line.lower().startswith("content-type:") for line in lines):
            given.append("Content-Type: application/json")
        return self.head("POST", path, *given, length=len(body)) + body

    def good_row(self) -> bytes:
        """Returns a request for one legal row."""
        return self.post(PREDICT, json.dumps({"rows": [self.contract.example]}).encode())

    def post_good_row(self) -> None:
        """Asserts that a legal row is answered."""
        (answer,) = ask_all(self, [self.good_row()])
        assert answer.status == 200, answer


def head(method: str, path: str, *lines: str, length: int | None = None) -> bytes:
    """Returns the head of a request."""
    given = [f"{method} {path} HTTP/1.1", "Host: service", *lines]
    if length is not None:
        given.append(f"Content-Length: {length}")
    return "\r\n".join([*given, "", ""]).encode("latin-1")


def ask_all(
    target: Target, requests: Iterable[bytes], connections: int = 8, patience_s: float = ANSWER_S
) -> list[Answer]:
    """Sends each request over a connection of its own.

    Args:
        target: The service.
        requests: Requests.
        connections: How many at the same time.
        patience_s: How long an answer may take.

    Raises:
        TimeoutError: An answer took longer.
    """

    async def talk() -> list[Answer]:
        free = asyncio.Semaphore(connections)

        async def one(request: bytes) -> Answer:
            async with free:
                return await asyncio.wait_for(_exchange(target, request), patience_s)

        return await asyncio.gather(*map(one, requests))

    return asyncio.run(talk())


def check(answers: Sequence[Answer]) -> None:
    """Asserts that no answer is an internal error, and that no refusal is long."""
    for answer in answers:
        # 503: not now
        assert answer.status < 500 or answer.status == 503, answer
        assert answer.status == 200 or len(answer.body) <= LONGEST_REFUSAL, f"a refusal of {len(answer.body)} bytes"


async def _exchange(target: Target, request: bytes) -> Answer:
    try:
        reader, writer = await asyncio.open_connection(target.host, target.port)
    except OSError:
        return Answer(0)
    try:
        # an early refusal is read while the body is still sent
        sending = asyncio.ensure_future(_send(writer, request))
        try:
            return await _read(reader)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    except (OSError, asyncio.IncompleteReadError):
        return Answer(0)
    finally:
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Answer:
    found = await reader.readuntil(b"\r\n\r\n")
    status = int(found.split(b" ", 2)[1])
    if status == 100:
        return await _read(reader)
    lines = [line.lower() for line in found.split(b"\r\n")]
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), None)
    body = await (reader.read(-1) if length is None else reader.readexactly(length))
    return Answer(status, found, body)
