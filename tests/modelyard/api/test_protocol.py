"""uvicorn with limits, asked through sockets: connections, heads, slow and late clients, upgrades, pipelining."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from figures import figure
from malformed_bodies import GOOD
from modelyard.api import protocol
from modelyard.api.connections import Connections
from modelyard.api.serving import Serving
from modelyard.config.models import ServingSettings
from uvicorn_thread import running
from waiting import DEADLINE_S, until

Service = tuple[str, int, Serving]
BODY = json.dumps({"rows": [GOOD]}).encode()
PROBE = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
ESTABLISHED = "01"


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with running(folder, max_header_bytes=4096, max_headers=20) as found:
        yield found


def post(*lines: str, body: bytes = BODY, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    given = ("POST /predict HTTP/1.1", "Host: a", "Content-Type: application/json", f"Content-Length: {length}", *lines)
    return "\r\n".join([*given, "", ""]).encode() + body


def chunked(body: bytes, *trailers: bytes) -> bytes:
    head = post("Transfer-Encoding: chunked", body=b"").replace(b"Content-Length: 0\r\n", b"")
    return head + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, b"".join(line + b"\r\n" for line in trailers))


def connect(service: Service) -> socket.socket:
    return socket.create_connection(service[:2], timeout=DEADLINE_S)


def read(connection: socket.socket, answers: int = 10**9) -> bytes:
    """Reads until the server closes, or so many answers are complete."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while len(complete(found)) < answers and (part := connection.recv(65536)):
            found += part
    return found


def complete(found: bytes) -> list[int]:
    """The statuses of the complete answers."""
    statuses = []
    while b"\r\n\r\n" in found:
        head, _, rest = found.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length else 0
        status = STATUS.match(head)
        if status is None or len(rest) < size:
            break
        statuses.append(int(status[1]))
        found = rest[size:]
    return statuses


def talk(service: Service, *pieces: bytes, answers: int = 10**9) -> bytes:
    """Sends pieces, each in a packet of its own, and reads."""
    with connect(service) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(piece)
            time.sleep(0.02 if len(pieces) > 1 else 0)
        return read(connection, answers)


def established(service: Service) -> int:
    """Connections of the server that are open, as the kernel sees them."""
    port = f":{service[1]:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[1].endswith(port) and line[3] == ESTABLISHED for line in lines)


def refused(service: Service, status: int) -> float:
    service[2].metrics.flush()
    return figure(service[2].metrics.registry, "modelyard_requests_total", route="other", code=str(status)) or 0.0


LONG_HEADS = {
    "one header": [post(f"X-Long: {'x' * 5000}")],
    "many headers": [post(*(f"X-{number}: {'x' * 400}" for number in range(12)))],
    "URL": [PROBE.replace(b"/livez", b"/livez?" + b"x" * 5000)],
    "without an end": [b"GET / HTTP/1.1\r\nX: ", *([b"x" * 1000] * 8)],
    "URL without an end": [b"GET /", *([b"x" * 1000] * 8)],
    "trailer without an end": [chunked(BODY)[:-2], b"X: ", *([b"x" * 1000] * 8)],
}


@pytest.mark.parametrize("pieces", LONG_HEADS.values(), ids=LONG_HEADS)
def test_a_head_that_is_too_long_is_refused(pieces: list[bytes], service: Service) -> None:
    before = refused(service, 431)
    answer = talk(service, *pieces)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in answer
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["detail"] == "the headers are longer than 4,096 bytes"
    assert refused(service, 431) == before + 1


def test_too_many_headers_are_refused(service: Service) -> None:
    for count, status in ((20, 200), (21, 431)):
        names = [f"X-{number}: 1" for number in range(count - 3)]
        assert complete(talk(service, post("Connection: close", *names[:-1]))) == [status]


def test_heads_and_bodies_within_the_limits_are_answered(service: Service) -> None:
    long = post(f"X-Long: {'x' * 3000}")
    assert complete(talk(service, long, answers=1)) == [200]
    assert complete(talk(service, *(long[at : at + 500] for at in range(0, len(long), 500)), answers=1)) == [200]
    # the limit is that of a head, and not of a packet or of a body
    spaces = b" " * 6000
    assert complete(talk(service, post(body=spaces + BODY) + post(), answers=2)) == [200, 200]
    pieces = [chunked(b"  " + BODY + spaces), chunked(BODY, b"X-Trailer: 1", b"X-Other: 2"), PROBE]
    assert complete(talk(service, b"".join(pieces), answers=3)) == [200] * 3


AMBIGUOUS = {
    "no Host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /livez HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
    "the same Host twice": (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "no Host, HTTP/1.0": (b"GET /livez HTTP/1.0\r\n\r\n", 200),
    "two Hosts, HTTP/1.0": (b"GET /livez HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "empty Host": (b"GET /livez HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200),
    "no path": (b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a port past all numbers": (b"GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CONNECT": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + PROBE, 501),
    "length and chunks": (post("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + PROBE), 400),
    "chunks and length": (chunked(BODY).replace(b"chunked", b"chunked\r\nContent-Length: 5"), 400),
    "two lengths": (post("Content-Length: 5"), 400),
    "the same length twice": (post(f"Content-Length: {len(BODY)}"), 400),
    "chunks that are not last": (chunked(BODY).replace(b"chunked", b"chunked, identity"), 400),
    "a header on two lines": (PROBE.replace(b"\r\n\r\n", b"\r\nX: a\r\n b\r\n\r\n"), 400),
    "bare line feeds": (PROBE.replace(b"\r\n", b"\n"), 400),
    "a body that is damaged": (chunked(BODY).replace(b"\r\n0\r\n", b"\r\nzz\r\n"), 400),
}


@pytest.mark.parametrize(("sent", "status"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_requests_that_two_servers_may_read_differently_are_refused(sent: bytes, status: int, service: Service) -> None:
    answer = talk(service, sent)
    assert complete(answer) == [status], answer
    assert answer.count(b"HTTP/1.1 ") == 1
    with connect(service) as kept:
        kept.sendall(PROBE)
        assert complete(read(kept, 1)) == [200]
        kept.sendall(sent)
        assert complete(read(kept)) == [status]


def test_a_refused_request_waits_for_the_answers_before_it(service: Service) -> None:
    for refused_one in (
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        chunked(BODY).replace(b"\r\n0\r\n", b"\r\nzz\r\n"),
    ):
        answer = talk(service, post() + PROBE + refused_one + PROBE)
        assert complete(answer) == [200, 200]


UPGRADES = {
    "h2c": H2C,
    "h2c, two Connection headers": ("Connection: Upgrade", "Upgrade: h2c", "Connection: HTTP2-Settings"),
    "a word": ("Connection: upgrade, keep-alive", "Upgrade: tea"),
    "a WebSocket by POST": ("Connection: upgrade", "Upgrade: websocket"),
    "Connection alone": ("Connection: upgrade",),
    "Upgrade alone": ("Upgrade: h2c",),
}


@pytest.mark.parametrize("lines", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_is_ignored(lines: tuple[str, ...], service: Service) -> None:
    expected = json.loads(httpx.post(f"http://{service[0]}:{service[1]}/predict", content=BODY).content)
    request = post(*lines)
    head, body = request[: -len(BODY)], request[-len(BODY) :]
    for pieces in ([request], [head, body], [head, body[:9], body[9:]], [head[:50], head[50:] + body]):
        answer = talk(service, *pieces, answers=1)
        assert complete(answer) == [200], (pieces, answer)
        assert json.loads(answer.partition(b"\r\n\r\n")[2]) == expected
    # on a connection with other requests, in one packet and in several
    assert complete(talk(service, post() + request * 2 + PROBE, answers=4)) == [200] * 4
    assert complete(talk(service, post(), head, body + head, body + PROBE, answers=4)) == [200] * 4


def test_a_body_after_an_upgrade_is_no_request(service: Service) -> None:
    request = post(*H2C, body=PROBE * 3)
    head = request[: -3 * len(PROBE)]
    for pieces in ([request], [head, PROBE * 3]):
        assert complete(talk(service, *pieces, post("Connection: close"))) == [400, 200]


def test_chunks_after_an_upgrade_are_a_body(service: Service) -> None:
    request = chunked(BODY).replace(b"Host: a\r\n", b"Host: a\r\n" + "\r\n".join(H2C).encode() + b"\r\n")
    assert complete(talk(service, request + PROBE, answers=2)) == [200, 200]


def test_pipelined_requests_are_answered_in_turn_however_many(service: Service) -> None:
    count = 1000
    requests = b"".join(post(f"X-Request-ID: id-{number}") for number in range(count))
    with connect(service) as connection:
        connection.settimeout(DEADLINE_S)
        connection.sendall(requests)
        answer = read(connection, count)
    assert complete(answer) == [200] * count
    assert re.findall(rb"x-request-id: id-(\d+)", answer) == [b"%d" % number for number in range(count)]
    tiny = PROBE * 3000
    assert complete(talk(service, tiny, answers=3000)) == [200] * 3000


def test_few_pipelined_requests_are_parsed_before_their_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = 0
    check = protocol.BoundedProtocol.on_message_begin

    def note(self: protocol.BoundedProtocol) -> None:
        nonlocal longest
        longest = max(longest, len(self.pipeline))
        check(self)

    monkeypatch.setattr(protocol.BoundedProtocol, "on_message_begin", note)
    with running(folder) as service:
        assert complete(talk(service, PROBE * 3000, answers=3000)) == [200] * 3000
    assert 1 < longest <= protocol.MAX_PIPELINED + protocol.SLICE_BYTES // len(PROBE) + 1


def test_a_slow_head_is_not_waited_for(folder: Path) -> None:
    with running(folder, client_timeout_s=0.2, idle_timeout_s=60) as service:
        slow = talk(service, PROBE[:10])
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert b"the headers did not come within 0.2 s" in slow
        # a client that never sends anything has asked for nothing
        assert talk(service) == b""
        later = talk(service, PROBE + PROBE[:10])
        assert complete(later) == [200, 408]
        with connect(service) as kept:
            kept.sendall(PROBE)
            assert complete(read(kept, 1)) == [200]
            time.sleep(1.5)  # longer than a head may take; a connection that waits for its next request is idle
            kept.sendall(PROBE)
            assert complete(read(kept, 1)) == [200]


def test_an_idle_connection_is_closed(folder: Path) -> None:
    with running(folder, idle_timeout_s=0.2) as service, connect(service) as idle:
        idle.sendall(PROBE)
        assert complete(read(idle)) == [200]


def test_idle_connections_make_room(folder: Path) -> None:
    with running(folder, max_connections=4) as service, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(service)) for _ in range(8)]
        for _ in range(3):
            assert complete(talk(service, PROBE, answers=1)) == [200]
        assert established(service) <= 4
        # the oldest ones went first
        assert idle[0].recv(1) == b""
        assert complete(talk(service, post(), answers=1)) == [200]


def test_connections_with_requests_are_kept(folder: Path) -> None:
    with running(folder, max_connections=2) as service, connect(service) as first, connect(service) as second:
        for connection in (first, second):
            connection.sendall(post()[:-5])
        until(lambda: complete(talk(service, PROBE, answers=1)) == [503])
        answer = talk(service, PROBE)
        assert b"2 connections are open" in answer
        assert refused(service, 503) >= 2
        for connection in (first, second):
            connection.sendall(post()[-5:])
            assert complete(read(connection, 1)) == [200]
        assert complete(talk(service, PROBE, answers=1)) == [200]


def unread(service: Service, size: int) -> socket.socket:
    """A client that asks for more than fits on the way, and reads nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(service[:2])
    connection.setblocking(False)
    request, sent = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", 0
    while sent < size:
        with contextlib.suppress(BlockingIOError):
            connection.send(request)
        sent += 10_000
    return connection


def test_a_client_that_reads_nothing_loses_its_connection(folder: Path) -> None:
    with running(folder, client_timeout_s=0.3, idle_timeout_s=0.3) as service, unread(service, 20 * 2**20):
        until(lambda: established(service) == 0)
        assert complete(talk(service, PROBE, answers=1)) == [200]


def test_the_kernel_hides_no_megabytes_of_unread_answers(folder: Path) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n"
    with running(folder, client_timeout_s=0.3) as service, unread(service, 0) as late:
        count = 2**20 // len(talk(service, request, answers=1)) + 1
        for _ in range(count):
            late.send(request)
        until(lambda: established(service) == 0)
        assert complete(talk(service, PROBE, answers=1)) == [200]


def test_a_closing_connection_is_not_kept_for_its_client(folder: Path) -> None:
    with running(folder, client_timeout_s=0.3) as service, unread(service, 0) as late:
        for _ in range(200):
            with contextlib.suppress(OSError):
                late.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(OSError):
            late.send(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        until(lambda: established(service) == 0)
        assert complete(talk(service, PROBE, answers=1)) == [200]


def test_unread_answers_are_bounded_together() -> None:
    class Transport:
        aborted = False

        def get_write_buffer_size(self) -> int:
            return 700_000

        def abort(self) -> None:
            self.aborted = True

    class Connection:
        def __init__(self) -> None:
            self.transport = Transport()

    connections = Connections(ServingSettings(max_inflight_mb=1))
    first, second, third = Connection(), Connection(), Connection()
    for connection, dropped in ((first, []), (second, [first]), (third, [first, second])):
        connections.pause(connection)  # type: ignore[arg-type]
        assert [each for each in (first, second, third) if each.transport.aborted] == dropped


def test_another_protocol_or_server_is_said_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(folder, http="h11") as service:
        assert httpx.get(f"http://{service[0]}:{service[1]}/livez").status_code == 200
    assert caplog.text.count("their headers and their idle time have no limits") == 1


def test_another_uvicorn_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(protocol.STATE, "shutdown", {"moved_elsewhere"})
    with running(folder) as service:
        assert complete(talk(service, PROBE, answers=1)) == [200]
    assert "their headers and their idle time have no limits" in caplog.text


def test_connections_are_limited_to_the_files_there_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (512, 4096))
    assert Connections(ServingSettings()).max_connections == 384
    assert "serving.max_connections is 1024, but the process may open only 512 files: limited to 384" in caplog.text
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert Connections(ServingSettings()).max_connections == 1024


def test_the_names_that_are_used_of_uvicorn_are_there() -> None:
    assert set(protocol.STATE) <= set(vars(uvicorn.protocols.http.httptools_impl.HttpToolsProtocol))
