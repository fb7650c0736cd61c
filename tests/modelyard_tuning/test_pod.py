"""The pods of a search on this machine: Ray's head with the driver, and a worker that trials run on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from driver_orders import order, run_of
from free_ports import free_range
from modelyard_tuning.pod import resolve
from waiting import until

pytestmark = pytest.mark.slow

PROCESS = Path(__file__).with_name("pod_process.py")
PORTS = 60
LIMIT_S = 240
# what the chart sets, so that a lost head is noticed in time
ENVIRONMENT = {
    "RAY_health_check_period_ms": "2000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class Pods:
    """Starts pods that share one token, and ends them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.found = folder / "head"
        self.found.write_text("")
        (folder / "token").write_text("0123456789abcdef" * 2)
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
        self._environment = os.environ | ENVIRONMENT | token

    def head(self, *arguments: str, cpus: int = 0) -> subprocess.Popen[bytes]:
        port = free_range(PORTS)
        self.found.write_text(f"127.0.0.1:{port}")
        return self._start("head", port, cpus, *arguments)

    def worker(self, cpus: int = 2) -> subprocess.Popen[bytes]:
        return self._start("worker", free_range(PORTS), cpus, str(self.found))

    def _start(self, role: str, port: int, cpus: int, *rest: str) -> subprocess.Popen[bytes]:
        scratch = self._stack.enter_context(short_folder())
        command = [sys.executable, str(PROCESS), role, str(port), str(scratch), str(cpus), *rest]
        process = subprocess.Popen(command, env=self._environment)
        self._stack.callback(finish, process)
        return process


def finish(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    process.wait(LIMIT_S)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose sockets have names that are not too long."""
    with tempfile.TemporaryDirectory(prefix="pod", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    with ExitStack() as stack:
        yield Pods(tmp_path, stack)


def ledger(folder: Path) -> dict[str, Any]:
    return {(record.trial, record.rung): record for record in run_of(folder).ledger.records()}


def test_trials_run_on_the_worker_and_the_head_ends_with_its_driver(pods: Pods, tmp_path: Path) -> None:
    worker = pods.worker()
    head = pods.head(*order(tmp_path, trials=6))
    assert head.wait(LIMIT_S) == 0
    assert run_of(tmp_path).info["state"] == "complete"
    assert run_of(tmp_path).summary["trials"] == 6
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LIMIT_S) == 143


def test_a_worker_joins_the_head_that_takes_anothers_place(pods: Pods, tmp_path: Path) -> None:
    pods.worker()
    first = pods.head(*order(tmp_path, trials=2000))
    until(lambda: first.poll() is not None or len(run_of(tmp_path).storage.list("ledger")) > 4, LIMIT_S)
    first.send_signal(signal.SIGTERM)
    assert first.wait(LIMIT_S) == 143
    before = ledger(tmp_path)
    assert run_of(tmp_path).info["state"] == "interrupted"

    trials = len({trial for trial, _ in before}) + 4
    second = pods.head(*order(tmp_path, trials=trials))
    assert second.wait(LIMIT_S) == 0
    after = ledger(tmp_path)
    assert {key: after[key] for key in before} == before
    assert len({trial for trial, _ in after}) == trials
    assert run_of(tmp_path).info["state"] == "complete"


def test_a_failure_for_good_starts_no_ray_again(pods: Pods, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    ordered = order(tmp_path, str(tmp_path / "table.csv"))
    assert pods.head(*ordered).wait(LIMIT_S) == 2
    sentence = (tmp_path / "termination-log").read_text()
    (tmp_path / "termination-log").unlink()
    assert pods.head(*ordered).wait(LIMIT_S) == 2
    assert (tmp_path / "termination-log").read_text() == sentence


def test_a_name_without_one_address_is_no_head() -> None:
    assert resolve("127.0.0.1") == "127.0.0.1:6379"
    assert resolve("no-such-head.invalid") is None
