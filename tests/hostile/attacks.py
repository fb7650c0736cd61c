"""Attacks on a service, each bounded in count and time; `ATTACKS` has them all."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import repeat
from urllib.parse import urlsplit

import psutil

from hostile import bodies
from hostile.arrow_bodies import ARROW, two_dictionaries
from hostile.bodies import SIZE
from hostile.connection import PREDICT, Answer, Target, ask_all, check, head

__all__ = ["ARROW_TYPE", "ATTACKS", "FEEDBACK", "V2", "Attack"]

V2, FEEDBACK = "/v2/models/people/infer", "/api/v1/feedback"
ARROW_TYPE = "Content-Type: application/vnd.apache.arrow.stream"
GZIP = "Content-Encoding: gzip"
# how often one body is sent, and over how many connections at a time
POSTS, CONNECTIONS = 8, 4
# how long the service may keep the connection of a client that does not go on
PATIENCE_S = 30.0
PROBE_S = 5.0
# of /metrics, by paths that do not exist
GROWTH = 20_000

# the form for every change: one of each way to take a service down
SHORT = frozenset(
    {
        *("JSON: empty rows", "JSON: misspelt columns", "gzip: zeros", "v2 as gzip: empty inputs", "v2: long data"),
        *("Arrow: overlapping text views", "Arrow: delta dictionaries", "Arrow: two legal dictionaries"),
        *("head: many lines", "never read: answers", "upgrade: h2c, body behind", "upgrade: WebSocket"),
        *("512 idle connections", "random paths", "wrong keys", "Host: none"),
    }
)


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: What is sent.
        run: Attacks, and asserts what can be seen from outside.
    """

    name: str
    run: Callable[[Target], None]

    @property
    def is_short(self) -> bool:
        """Whether it is part of the short form."""
        return self.name in SHORT


def _post(target: Target, path: str, body: bytes, *lines: str) -> list[Answer]:
    """Sends the same body several times."""
    answers = ask_all(target, repeat(target.post(path, body, *lines), POSTS), CONNECTIONS)
    check(answers)
    return answers


def _bodies() -> Iterator[Attack]:
    """Bodies of each format, those of JSON as they are and as gzip."""
    plain = (
        *(("JSON", PREDICT, bodies.JSON, ()), ("v2", V2, bodies.V2, ()), ("feedback", FEEDBACK, bodies.FEEDBACK, ())),
        *(("Arrow", PREDICT, ARROW, (ARROW_TYPE,)), ("gzip", PREDICT, bodies.BOMBS, (GZIP,))),
    )
    for kind, path, shapes, lines in plain:
        for name, shape in shapes.items():
            yield _of_shape(f"{kind}: {name}", path, shape, lines)
            if not lines:
                yield _of_shape(f"{kind} as gzip: {name}", path, shape, (GZIP,), gzip.compress)
    for name, make in bodies.BINARY.items():
        yield Attack(f"v2 binary: {name}", lambda target, make=make: _post_binary(target, *make()))


def _of_shape(
    name: str,
    path: str,
    shape: bodies.Shape,
    lines: Iterable[str],
    pack: Callable[[bytes], bytes] = bytes,
) -> Attack:
    return Attack(name, lambda target: _post(target, path, pack(shape(target.contract)), *lines) and None)


def _post_binary(target: Target, body: bytes, length: str) -> None:
    _post(target, V2, body, f"Inference-Header-Content-Length: {length}")


def _two_legal_dictionaries(target: Target) -> None:
    answers = _post(target, PREDICT, two_dictionaries(target.contract), ARROW_TYPE)
    assert {answer.status for answer in answers} == {200}, answers[0]


def _many_bodies(target: Target) -> None:
    body = target.post(PREDICT, bodies.JSON["blanks"](target.contract))
    check(ask_all(target, repeat(body, 256), 256))


def _unfinished_bodies(target: Target) -> None:
    """Holds 256 bodies but for their last byte."""
    body = target.post(PREDICT, bodies.JSON["blanks"](target.contract))
    with _connections(target, 256, [body[:-1]]) as held:
        _assert_probes(target)
        _assert_closed(target, held)


# requests that no HTTP client sends


def _long_heads(target: Target) -> None:
    """Sends heads that do not end; a service that has read enough of one closes its connection."""
    _send_heads(target, head("GET", "/livez")[:-2] + b"X: " + b"x" * (2 * SIZE))


def _many_lines(target: Target) -> None:
    _send_heads(target, head("GET", "/livez")[:-2] + b"X: x\r\n" * (2 * SIZE // 6))


def _long_path(target: Target) -> None:
    _send_heads(target, b"GET /" + b"x" * (2 * SIZE))


def _long_chunk_size(target: Target) -> None:
    begun = target.head("POST", PREDICT, "Transfer-Encoding: chunked", "Content-Type: application/json")
    _send_heads(target, begun + b"1;" + b"x" * (2 * SIZE))


def _long_trailers(target: Target) -> None:
    begun = target.head("POST", PREDICT, "Transfer-Encoding: chunked", "Content-Type: application/json")
    _send_heads(target, begun + b"0\r\n" + b"X: x\r\n" * (2 * SIZE // 6))


def _send_heads(target: Target, sent: bytes) -> None:
    check(ask_all(target, repeat(sent, 32), 32, patience_s=PATIENCE_S))
    _assert_probes(target)


def _tiny_chunks(target: Target) -> None:
    begun = target.head("POST", PREDICT, "Transfer-Encoding: chunked", "Content-Type: application/json")
    check(ask_all(target, repeat(begun + b"1\r\n \r\n" * (SIZE // 6) + b"0\r\n\r\n", POSTS), CONNECTIONS))


def _slow_heads(target: Target) -> None:
    _drip(target, head("GET", "/livez", "X: " + "x" * 1000))


def _slow_bodies(target: Target) -> None:
    _drip(target, target.post(PREDICT, b" " * 1000), begin=300)


def _drip(target: Target, sent: bytes, begin: int = 10) -> None:
    """Sends one byte after the other over many connections, until all of them are closed."""
    with _connections(target, 100, [sent[:begin]]) as held:
        left = iter(sent[begin:])
        deadline = time.monotonic() + PATIENCE_S
        while _are_kept(target, held):
            assert time.monotonic() < deadline, "a client that sends a byte at a time keeps its connection"
            byte = bytes([next(left)])
            for connection in held:
                with suppress(OSError):
                    connection.send(byte)
            time.sleep(0.2)
        _assert_probes(target)


def _never_read_answers(target: Target) -> None:
    """Asks for long answers and reads none of them."""
    asked = target.post(PREDICT, bodies.JSON["the most legal rows"](target.contract))
    _never_read(target, [asked] * 8)


def _never_read_pages(target: Target) -> None:
    _never_read(target, [target.head("GET", "/openapi.json")] * 100)


def _never_read(target: Target, requests: list[bytes]) -> None:
    with _connections(target, 16, requests, receive_bytes=4096) as held:
        _assert_probes(target)
        _assert_closed(target, held)


def _pipelined(target: Target) -> None:
    """Sends many requests at once over each connection and reads no answer before the last one is sent."""
    with _connections(target, 8, [head("GET", "/livez") * 20_000]):
        _assert_probes(target)


def _idle(target: Target) -> None:
    with _connections(target, 512, []):
        for _ in range(10):
            _assert_probes(target)


def _idle_after_a_request(target: Target) -> None:
    with _connections(target, 512, [head("GET", "/livez")]):
        for _ in range(10):
            _assert_probes(target)


UPGRADE = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")


def _upgrade_with_body(target: Target) -> None:
    _upgrade(target, later=False)


def _upgrade_with_body_behind(target: Target) -> None:
    _upgrade(target, later=True)


def _upgrade(target: Target, later: bool) -> None:
    """Asks for another protocol with a POST whose body looks like a request of its own."""
    smuggled = head("DELETE", "/smuggled")
    begun = target.head("POST", PREDICT, *UPGRADE, "Content-Type: application/json", length=len(smuggled))
    for _ in range(20):
        with target.connect() as connection:
            connection.sendall(begun if later else begun + smuggled)
            if later:
                # HTTP/1.1 allows the body to come in any number of packets
                time.sleep(0.05)
                with suppress(OSError):
                    connection.sendall(smuggled)
            answered = _read_until_quiet(connection)
        assert answered.count(b"HTTP/1.1 ") == 1, answered
        # the body as JSON: the request was answered as HTTP/1.1, or refused and the connection closed
        assert b"/smuggled" not in answered, answered
        assert answered.startswith(b"HTTP/1.1 400 ") or b"\r\nconnection: close\r\n" in answered, answered


def _upgraded_row(target: Target) -> None:
    row = json.dumps({"rows": [target.contract.example]}).encode()
    answers = ask_all(target, repeat(target.post(PREDICT, row, *UPGRADE), 20))
    assert {answer.status for answer in answers} == {200}, answers[0]


def _websockets(target: Target) -> None:
    """Opens WebSockets on paths with and without a route, without a key."""
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    for path in ("/", PREDICT, "/livez", "/api/v1/live", "/nothing"):
        answers = ask_all(target, repeat(head("GET", path, *lines, key), 40))
        check(answers)
        assert all(answer.status != 101 for answer in answers), path


def _random_paths(target: Target) -> None:
    """Asks for paths that do not exist; none may become a label."""

    def figures() -> int:
        (answer,) = ask_all(target, [target.head("GET", "/metrics")])
        assert answer.status == 200, answer
        return len(answer.body)

    ask_all(target, [target.head("GET", "/nothing")])
    before = figures()
    for kind in ("", "/v2/models", "/api/v1", "/docs"):
        paths = [target.head(method, f"{kind}/{number:x}") for number in range(400) for method in ("GET", "BREW")]
        check(ask_all(target, paths))
    assert figures() < before + GROWTH


def _hosts(*lines: str, statuses: frozenset[int]) -> Callable[[Target], None]:
    """Sends heads with these lines in place of Host."""

    def run(target: Target) -> None:
        for path in ("/livez", "/docs/", "/"):
            sent = "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()
            (answer,) = ask_all(target, [sent])
            assert answer.status in statuses, answer
            location = next((line for line in answer.head.split(b"\r\n") if line.lower().startswith(b"location:")), b"")
            assert urlsplit(location.partition(b":")[2].strip()).netloc != b"elsewhere.example", answer

    return run


def _wrong_keys(target: Target) -> None:
    asked = [
        head("POST", PREDICT, f"X-API-Key: wrong {number}", "Content-Type: application/json", length=0)
        for number in range(200)
    ]
    answers = ask_all(target, asked)
    assert {answer.status for answer in answers} == {401}, answers[0]
    # the digest of an empty key
    empty = head("POST", PREDICT, "X-API-Key:", "Content-Type: application/json", length=0)
    assert ask_all(target, [empty])[0].status == 401


# what all of these take


@contextmanager
def _connections(
    target: Target, count: int, requests: Iterable[bytes], receive_bytes: int | None = None
) -> Iterator[list[socket.socket]]:
    """Holds connections over which requests were sent as far as the service took them."""
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            with suppress(OSError):
                held.append(stack.enter_context(target.connect(receive_bytes)))
        sent = b"".join(requests)
        threads = [threading.Thread(target=_send, args=(connection, sent)) for connection in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield held


def _send(connection: socket.socket, sent: bytes) -> None:
    connection.settimeout(PROBE_S)
    with suppress(OSError):
        connection.sendall(sent)


def _assert_closed(target: Target, held: list[socket.socket]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while _are_kept(target, held):
        assert time.monotonic() < deadline, "the service keeps connections of clients that do not go on"
        time.sleep(0.2)


def _are_kept(target: Target, held: list[socket.socket]) -> bool:
    """Returns whether the service's end of any connection is open; a client that reads nothing cannot see that."""
    ports = {connection.getsockname()[1] for connection in held}
    return any(
        found.laddr.port == target.port and found.raddr.port in ports
        for found in psutil.net_connections("tcp")
        if found.raddr and found.status == psutil.CONN_ESTABLISHED
    )


def _assert_probes(target: Target) -> None:
    """Asserts that a new connection is answered."""
    (answer,) = ask_all(target, [head("GET", "/livez")], patience_s=PROBE_S)
    assert answer.status == 200, answer


def _read_until_quiet(connection: socket.socket) -> bytes:
    found = b""
    with suppress(OSError):
        while part := connection.recv(65536):
            found += part
            connection.settimeout(0.3)
    return found


ATTACKS = (
    *_bodies(),
    Attack("Arrow: two legal dictionaries", _two_legal_dictionaries),
    Attack("256 bodies of 4 MiB", _many_bodies),
    Attack("256 bodies of 4 MiB but for a byte", _unfinished_bodies),
    Attack("head: a long line", _long_heads),
    Attack("head: many lines", _many_lines),
    Attack("head: a long path", _long_path),
    Attack("head: a byte at a time", _slow_heads),
    Attack("body: a byte at a time", _slow_bodies),
    Attack("body: chunks of a byte", _tiny_chunks),
    Attack("body: a long line of a chunk", _long_chunk_size),
    Attack("body: many trailers", _long_trailers),
    Attack("never read: answers", _never_read_answers),
    Attack("never read: pages", _never_read_pages),
    Attack("pipelined probes", _pipelined),
    Attack("512 idle connections", _idle),
    Attack("512 idle connections after a request", _idle_after_a_request),
    Attack("upgrade: h2c", _upgrade_with_body),
    Attack("upgrade: h2c, body behind", _upgrade_with_body_behind),
    Attack("upgrade: h2c of a legal row", _upgraded_row),
    Attack("upgrade: WebSocket", _websockets),
    Attack("random paths", _random_paths),
    Attack("Host: none", _hosts(statuses=frozenset({400}))),
    Attack("Host: two", _hosts("Host: service", "Host: elsewhere.example", statuses=frozenset({400}))),
    Attack("Host: of others", _hosts("Host: elsewhere.example", statuses=frozenset({200, 301, 307, 308, 401, 404}))),
    Attack("wrong keys", _wrong_keys),
)
