"""Measures what a bento can take: serves it on this machine and asks it for its example, over and over."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from modelyard.config.models import Settings
from modelyard.data.contract import Contract
from modelyard.models.capacity import Capacity, Load, cpu_name, keep_capacity
from modelyard_bentos.client import Server
from modelyard_bentos.contents import SERVING_VARIABLE, SETTINGS, SOURCE
from modelyard_bentos.load import ask
from modelyard_bentos.packaging import model_in
from modelyard_bentos.usage import cpu_seconds, largest_mb, memory_mb

__all__ = ["ALONE", "measure_bento", "measure_server"]

CONNECTIONS = (1, 8, 32)
SECONDS, WARM_UP_S, CLOCK_TICK_S = 1.0, 0.3, 0.01
PACKAGES = ("modelyard", "bentoml", "uvicorn", "onnxruntime")
# our requests carry no key, all of them count, nobody waits for a drain, and the port may be another server's
ALONE = {
    SERVING_VARIABLE: json.dumps({"keys_file": None, "max_concurrency": 256, "drain_seconds": 0, "metrics_port": None})
}


def measure_bento(bento: Path) -> Capacity:
    """Serves a bento on a free port of this machine, measures it, and keeps the figures in its model's folder.

    Args:
        bento: Its folder.

    Raises:
        ServiceError: It does not start, or does not answer its own example.
    """
    with Server(bento, environment=ALONE) as server:
        return measure_server(server, bento)


def measure_server(server: Server, bento: Path) -> Capacity:
    """Measures a server that runs, and keeps the figures in the model's folder of its bento.

    Args:
        server: Was started with the environment `ALONE`.
        bento: The folder of what it serves.

    Raises:
        ServiceError: It does not answer the model's example.
    """
    settings = Settings.model_validate_json((bento / SOURCE / SETTINGS).read_text())
    contract = Contract.from_json((model_in(bento) / "contract.json").read_text())
    body = json.dumps({"rows": [contract.example]}).encode()
    capacity = Capacity(
        loads=tuple(_load(server, body, connections) for connections in CONNECTIONS),
        start_s=round(server.start_s, 2),
        worker_mb=round(largest_mb(server.pid), 1),
        memory_mb=round(memory_mb(server.pid), 1),
        workers=settings.api.workers,
        cpu=cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        packages={name: version(name) for name in PACKAGES},
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    keep_capacity(model_in(bento), capacity)
    return capacity


def _load(server: Server, body: bytes, connections: int) -> Load:
    url = f"{server.url}/api/v1/predict"
    ask(url, body, connections=connections, seconds=WARM_UP_S)
    before = cpu_seconds(server.pid)
    answers = ask(url, body, connections=connections, seconds=SECONDS)
    spent = cpu_seconds(server.pid) - before
    return Load(
        connections=connections,
        requests_per_s=round(answers.count / answers.seconds, 1),
        requests_per_cpu_s=round(answers.count / max(spent, CLOCK_TICK_S), 1),
        p50_ms=round(answers.p50_ms, 3),
        p99_ms=round(answers.p99_ms, 3),
    )
