from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest

from modelyard.errors import ClusterError
from modelyard.kube.prometheus import Prometheus


class Answering(ThreadingHTTPServer):
    """A Prometheus that answers what it is told to."""

    answer: Any = None
    asked: str = ""


class Handler(BaseHTTPRequestHandler):
    server: Answering

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked = f"{self.path} {form['query'][0]}"
        body = self.server.answer if isinstance(self.server.answer, str) else json.dumps(self.server.answer)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def pods(*names: str) -> list[Any]:
    return [SimpleNamespace(metadata=SimpleNamespace(name=name)) for name in names]


def sample(name: str, pod: str, value: str, **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": f"modelyard_{name}", "pod": pod, **labels}, "value": [1764072000.1, value]}


def test_counters_are_read_as_the_pods_expose_them(server):
    route = {"route": "/api/v1/predict"}
    server.answer = {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                sample("requests_total", "a", "12", code="200", **route),
                sample("request_seconds_bucket", "a", "12", le="0.005", **route),
                sample("request_seconds_bucket", "a", "12", le="+Inf", **route),
                sample("predictions_total", "a", "9", **{"class": "yes"}),
                sample("prediction_value_bucket", "b", "3", le="1.5"),
            ],
        },
    }
    url = f"http://127.0.0.1:{server.server_port}/prometheus/"
    found = Prometheus(url, "scoring").read(pods("a", "b", "c"))
    assert (found["a"].requests, found["a"].quantile(0.99), found["a"].predictions) == (
        12,
        pytest.approx(0.00495),
        {"yes": 9},
    )
    assert found["b"].by_edge == {1.5: 3}
    assert str(found["c"]) == "pod c: was not scraped yet"
    path, _, query = server.asked.partition(" ")
    assert path == "/prometheus/api/v1/query"
    assert query.endswith(', namespace="scoring", pod=~"a|b|c"}')


def test_nothing_is_asked_for_no_pods():
    assert Prometheus("http://127.0.0.1:1", "scoring").read([]) == {}


def test_what_is_wrong_with_it_is_said(server):
    url = f"http://127.0.0.1:{server.server_port}"
    server.answer = {
        "status": "error",
        "errorType": "execution",
        "error": "query processing would load too many samples",
    }
    with pytest.raises(ClusterError, match=rf"^Prometheus at {url}: refuses \(query processing would load too many"):
        Prometheus(url, "scoring").read(pods("a"))
    server.answer = "<html>"
    with pytest.raises(ClusterError, match=rf"^Prometheus at {url}: gives no answer \("):
        Prometheus(url, "scoring").read(pods("a"))
    with pytest.raises(ClusterError, match=r"^Prometheus at http://127.0.0.1:1: gives no answer \("):
        Prometheus("http://127.0.0.1:1", "scoring").read(pods("a"))
