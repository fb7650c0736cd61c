"""Starts the peers and stops them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from load import Target
from modelyard.data.contract import Contract
from modelyard_bentos.processes import bentoml_command, quiet_environment

__all__ = ["PEERS", "Peer", "bare", "end", "free_port", "install_mlserver", "wait"]

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "platform"
REQUIREMENTS = HERE / "requirements-mlserver.txt"
START_S, STOP_S = 120.0, 10.0

Row = Mapping[str, Any]
Peer = Callable[[Path, Row], AbstractContextManager[Target]]


@contextlib.contextmanager
def _running(
    command: Sequence[str], url: str, body: Any, environment: Mapping[str, str] | None = None
) -> Iterator[Target]:
    """Starts a server, waits until it answers the request, and stops it."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=HERE,
            env={**quiet_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait(process, url, body)
            yield Target(process.pid, url, body)
        except TimeoutError as error:
            log.seek(0)
            output = log.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)}: {error}\n{output[-2000:]}") from None
        finally:
            end(process)


def wait(process: subprocess.Popen[bytes], url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    deadline = time.monotonic() + START_S
    last: Exception | None = None
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(request, timeout=START_S).close()
        except OSError as error:
            last = error
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"no answer: {last}")


def end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)


def free_port() -> int:
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _uvicorn(module: str, folder: Path, row: Row) -> AbstractContextManager[Target]:
    port = str(free_port())
    options = ("--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level", "warning")
    command = [sys.executable, "-m", "uvicorn", f"{module}:app", "--host", "127.0.0.1", "--port", port, *options]
    return _running(command, f"http://127.0.0.1:{port}/predict", {"rows": [row]}, {"PEER_MODEL": str(folder)})


def _bentoml(folder: Path, row: Row) -> AbstractContextManager[Target]:
    port = str(free_port())
    command = bentoml_command("serve", "bentoml_typed:Typed", "--host", "127.0.0.1", "--port", port)
    return _running(command, f"http://127.0.0.1:{port}/predict", {"rows": [row]}, {"PEER_MODEL": str(folder)})


@contextlib.contextmanager
def _mlserver(python: Path, folder: Path, row: Row) -> Iterator[Target]:
    contract = Contract.from_json((folder / "contract.json").read_bytes())
    values = [float(row[name]) for name in contract.names]
    body = {
        "inputs": [{"name": "x", "shape": [1, len(values)], "datatype": "FP64", "data": values}],
        "outputs": [{"name": "predict_proba"}],
    }
    ports = {f"{name}_port": free_port() for name in ("http", "grpc", "metrics")}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    parameters = {"uri": str(folder / "pipeline.pkl")}
    model = {"name": "peer", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    url = f"http://127.0.0.1:{ports['http_port']}/v2/models/peer/infer"
    with tempfile.TemporaryDirectory() as work:
        Path(work, "settings.json").write_text(json.dumps(settings))
        Path(work, "model-settings.json").write_text(json.dumps(model))
        command = [str(python.with_name("mlserver")), "start", work]
        # the pipeline scales and marks columns by a class of ours
        with _running(command, url, body, {"PYTHONPATH": str(SOURCES)}) as target:
            yield target


def install_mlserver(cache: Path) -> Peer | str:
    """Makes an environment for MLServer, whose packages do not go together with ours.

    Args:
        cache: Where environments are kept.

    Returns:
        The peer, or why there is none.
    """
    folder = cache / "mlserver"
    python, ready = folder / "bin" / "python", folder / "installed.txt"
    wanted = REQUIREMENTS.read_text()
    if not ready.is_file() or ready.read_text() != wanted:
        uv = [sys.executable, "-m", "uv"]
        try:
            subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
            install = ["pip", "install", "--quiet", "--no-deps", "--python", str(python), "-r", str(REQUIREMENTS)]
            subprocess.run([*uv, *install], check=True)
        except subprocess.CalledProcessError as error:
            return f"MLServer is left out, since it could not be installed: {' '.join(map(str, error.cmd))} failed"
        ready.write_text(wanted)
    return partial(_mlserver, python)


def bare(row: Row) -> AbstractContextManager[Target]:
    """Starts bare uvicorn, which reads the same request and answers hello."""
    return _uvicorn("hello", HERE, row)


PEERS: dict[str, Peer] = {
    "FastAPI + ONNX Runtime": partial(_uvicorn, "fastapi_onnx"),
    "FastAPI + scikit-learn": partial(_uvicorn, "fastapi_sklearn"),
    "BentoML, typed, stock": _bentoml,
}
