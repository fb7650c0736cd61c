"""SIGTERM under load, as a cluster sends it: to the parent alone, while clients go on until readiness has turned.

`SIGTERMS=20 python -m pytest tests/modelyard_bentos/test_drain.py` is the long form.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard_bentos.client import Server

BODY = json.dumps({"rows": [GOOD]})
HEADERS = {"Content-Type": "application/json"}
SIGTERMS = int(os.environ.get("SIGTERMS", "2"))
DRAIN_S = 2.0
# how long a cluster goes on sending after readiness has turned
ROUTE_S = 0.5
DEADLINE_S = 30.0


@dataclass
class Traffic:
    """Clients of one server, with kept connections and with new ones."""

    host: str
    port: int
    routed: threading.Event = field(default_factory=threading.Event)
    outcomes: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=5)

    def probe(self) -> None:
        """Looks at readiness like a kubelet, and takes the server out of the route a moment after it has turned."""
        while True:
            connection = self.connect()
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status != 200:
                    break
            except (OSError, http.client.HTTPException):
                break
            finally:
                connection.close()
            time.sleep(0.05)
        time.sleep(ROUTE_S)
        self.routed.clear()

    def ask(self, keep: bool) -> None:
        connection = self.connect()
        kind = "kept" if keep else "new"
        while self.routed.is_set():
            try:
                connection.request("POST", "/predict", BODY, HEADERS)
                answer = connection.getresponse()
                answer.read()
                self.outcomes[kind if answer.status == 200 else f"{kind} {answer.status}"] += 1
                self.closes[kind] += answer.headers.get("connection") == "close"
                if not keep:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.outcomes[f"{kind} {type(error).__name__}"] += 1
                connection.close()
                time.sleep(0.02)
        connection.close()


def terminate(folder: Path, drain_s: float, workers: int = 2, *, bentoml: bool = False) -> tuple[Traffic, int]:
    """Starts a server, sends SIGTERM under load; returns what its clients saw and its exit code."""
    settings = Settings.model_validate({"api": {"workers": workers}})
    with Server(folder, settings, bentoml=bentoml, drain_s=drain_s, stop_s=DEADLINE_S) as server:
        process, address = server._process, urlsplit(server.url)
        assert process is not None
        traffic = Traffic(str(address.hostname), int(address.port or 0))
        traffic.routed.set()
        threads = [threading.Thread(target=traffic.ask, args=(keep,)) for keep in (True, True, False, False)]
        threads.append(threading.Thread(target=traffic.probe))
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGTERM)
        for thread in threads:
            thread.join(DEADLINE_S)
        return traffic, process.wait(DEADLINE_S)


def failures(traffic: Traffic) -> dict[str, int]:
    return {kind: count for kind, count in traffic.outcomes.items() if kind not in ("kept", "new")}


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "bentoml"), [(1, False), (2, False), (2, True)])
def test_no_request_is_lost_while_the_process_drains(workers: int, bentoml: bool, folder: Path) -> None:
    answered = 0
    for _ in range(SIGTERMS):
        traffic, code = terminate(folder, DRAIN_S, workers, bentoml=bentoml)
        assert failures(traffic) == {}
        assert code == 0
        assert traffic.outcomes["kept"] > 50
        assert traffic.outcomes["new"] > 50
        # kept connections were asked to go elsewhere
        assert traffic.closes["kept"] > 1
        answered += sum(traffic.outcomes.values())
    print(f"{SIGTERMS} SIGTERMs, {answered} requests, 0 lost")


@pytest.mark.slow
def test_without_the_drain_requests_are_lost(folder: Path) -> None:
    lost = sum(sum(failures(terminate(folder, 0.0)[0]).values()) for _ in range(SIGTERMS))
    assert lost > 0
    print(f"{SIGTERMS} SIGTERMs, {lost} lost")
