"""The signals that end a service."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from served_process import Process, served
from waiting import DEADLINE_S, until

pytestmark = pytest.mark.usefixtures("default_sighup")


def drains(process: Process) -> bool:
    try:
        return process.client.get("/readyz").status_code == 503
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_service_answer_for_the_drain(number: signal.Signals, folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path, None, "serving.drain_seconds=1") as process:
        process.child.send_signal(number)
        until(lambda: drains(process))
        assert process.child.wait(DEADLINE_S) == 0


def test_without_a_drain_sighup_shuts_the_service_down(folder: Path, tmp_path: Path) -> None:
    with served(folder, tmp_path) as process:
        process.child.send_signal(signal.SIGHUP)
        assert process.child.wait(DEADLINE_S) == 0
    assert "Application shutdown complete" in process.log.read_text()
