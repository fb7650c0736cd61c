from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from modelyard.errors import ServiceError
from modelyard_bentos.load import ask

BODY = b'{"rows": []}'


class Handler(BaseHTTPRequestHandler):
    """Answers in two pieces, so that an answer's end has to be looked for."""

    protocol_version = "HTTP/1.1"
    status = 200
    seen: list[tuple[str, str | None, bytes]]
    peers: set[object]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["X-Who"], body))
        self.peers.add(self.client_address)
        self.send_response(self.status)
        self.send_header("Content-Length", "8")
        self.end_headers()
        self.wfile.write(b"half")
        self.wfile.flush()
        self.wfile.write(b"full")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[int], tuple[str, type[Handler]]]]:
    servers = []

    def start(status: int) -> tuple[str, type[Handler]]:
        handler = type("Each", (Handler,), {"status": status, "seen": [], "peers": set()})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/predict", handler

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_every_answer_counts_and_connections_are_kept(serve: Callable[[int], tuple[str, type[Handler]]]) -> None:
    url, handler = serve(200)
    answers = ask(url, BODY, connections=3, seconds=0.2, headers={"X-Who": "me"})
    assert answers.count == len(handler.seen) > 3
    assert set(handler.seen) == {("/predict", "me", BODY)}
    assert len(handler.peers) == 3
    assert 0 < answers.p50_ms <= answers.p99_ms
    assert 0.2 <= answers.seconds < 5


def test_an_answer_that_is_an_error_is_told(serve: Callable[[int], tuple[str, type[Handler]]]) -> None:
    url, handler = serve(422)
    with pytest.raises(ServiceError, match=r"refused: HTTP/1.1 422"):
        ask(url, BODY, connections=1, seconds=5)
    assert len(handler.seen) == 1


def test_a_server_that_is_not_there_or_goes_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/predict"
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        with pytest.raises(ServiceError, match="does not answer"):
            ask(url, BODY, connections=1, seconds=5)
    with pytest.raises(ServiceError, match="does not answer"):
        ask(url, BODY, connections=1, seconds=5)
