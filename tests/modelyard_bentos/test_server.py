"""The server's processes as the system sees them: sockets, modules, memory, signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from free_ports import free_range
from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard.errors import ServiceError
from modelyard_bentos.client import Server
from modelyard_bentos.contents import SERVING_VARIABLE
from modelyard_bentos.load import ask
from modelyard_bentos.packaging import Packed
from waiting import DEADLINE_S, until

ROOT = Path(__file__).parents[2]
MOST_MB = 130
ROUTER = """
import sys
from fastapi import APIRouter

router = APIRouter()

@router.get("/modules")
def modules() -> list[str]:
    return sorted({name.partition(".")[0] for name in sys.modules})
"""


def settings(workers: int) -> Settings:
    return Settings.model_validate({"api": {"workers": workers}})


def tree(server: Server) -> list[psutil.Process]:
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/v1/health").is_success
    except httpx.TransportError:
        return False


def drains(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 503
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(("workers", "bentoml"), [(1, False), (2, False), (1, True), (2, True)])
def test_nothing_listens_but_the_service(workers: int, bentoml: bool, folder: Path) -> None:
    port = free_range(1)
    serving = {SERVING_VARIABLE: json.dumps({"metrics_port": port, "drain_seconds": 0})}
    with Server(folder, settings(workers), bentoml=bentoml, environment=serving) as server:
        processes = tree(server)
        assert len(processes) >= workers
        listening = [each for process in processes for each in process.net_connections("inet")]
        assert {each.laddr.port for each in listening if each.status == psutil.CONN_LISTEN} == {
            int(server.url.rpartition(":")[2]),
            port,
        }
        paths = {each.laddr for process in processes for each in process.net_connections("unix") if each.laddr}
        assert len(paths) == (2 if bentoml else 0)
        for path in paths:
            mode = Path(path).parent.stat()
            assert (stat.S_IMODE(mode.st_mode), mode.st_uid) == (0o700, os.getuid())
    assert not [path for path in paths if Path(path).parent.exists()]


def test_one_worker_is_one_small_process_without_bentoml(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_modules.py").write_text(ROUTER)
    monkeypatch.chdir(tmp_path)
    body = json.dumps({"rows": [GOOD]}).encode()
    with Server(folder, Settings.model_validate({"api": {"routers": ["loaded_modules"]}})) as server:
        ask(f"{server.url}/api/v1/predict", body, connections=4, seconds=0.5)
        (process,) = tree(server)
        assert process.memory_full_info().pss / 1e6 < MOST_MB
        modules = set(httpx.get(f"{server.url}/modules").raise_for_status().json())
    assert "onnxruntime" in modules
    assert not modules & {"bentoml", "_bentoml_sdk", "_bentoml_impl", "circus", "sklearn", "pandas", "hydra"}


@pytest.mark.usefixtures("default_sighup")
@pytest.mark.parametrize(("workers", "bentoml"), [(1, False), (2, False), (1, True)])
def test_sighup_drains_a_process_that_answers(workers: int, bentoml: bool, folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Server(folder, settings(workers), bentoml=bentoml, drain_s=1.0, log=log) as server:
        answering = next((one for one in tree(server) if "--fd" in one.cmdline()), psutil.Process(server.pid))
        target = answering if bentoml else psutil.Process(server.pid)
        target.send_signal(signal.SIGHUP)
        until(lambda: drains(server.url))
        if not bentoml:
            assert server._process is not None
            assert server._process.wait(DEADLINE_S) == 0
        until(lambda: not answering.is_running() or answering.status() == psutil.STATUS_ZOMBIE)
    assert "Traceback" not in log.read_text()


@pytest.mark.usefixtures("default_sighup")
def test_a_worker_that_gets_sighup_drains_and_is_replaced(folder: Path) -> None:
    with Server(folder, settings(2)) as server:
        worker = tree(server)[1]
        worker.send_signal(signal.SIGHUP)
        until(lambda: worker not in (now := tree(server)) and len(now) == 3)
        assert server.predict([GOOD])


def test_what_keeps_every_worker_from_starting_is_said_once(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    serving = {SERVING_VARIABLE: json.dumps({"feedback_key_file": "/nowhere/key"})}
    with pytest.raises(ServiceError, match="/nowhere/key"), Server(folder, settings(3), environment=serving, log=log):
        pytest.fail("it must not start")
    assert log.read_text().count("serving.feedback_key_file: /nowhere/key cannot be read") == 1
    assert "starting another" not in log.read_text()


def test_workers_end_with_a_parent_that_was_killed(folder: Path) -> None:
    with Server(folder, settings(2)) as server:
        parent, *workers = tree(server)
        parent.kill()
        _, alive = psutil.wait_procs(workers, DEADLINE_S)
        assert not alive


def test_nohup_lets_a_service_outlive_its_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ignoring = tmp_path / "python"
    ignoring.write_text(f"#!/bin/sh\ntrap '' HUP\nexec {sys.executable} \"$@\"\n")
    ignoring.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(ignoring))
    with Server(folder) as server:
        os.kill(server.pid, signal.SIGHUP)
        assert server.predict([GOOD])
        assert not drains(server.url)


def test_a_taken_port_is_one_sentence(folder: Path) -> None:
    with Server(folder) as server:
        port = server.url.rpartition(":")[2]
        command = [sys.executable, "-m", "modelyard_bentos.server", "--port", port]
        environment = os.environ | {"MODELYARD_MODEL": str(folder), "MODELYARD_SETTINGS": "{}"}
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another port or host\n"


@pytest.mark.parametrize("made_by", ["this release", "0.1"])
def test_an_image_starts_the_server_of_its_bento(made_by: str, packed: Packed, tmp_path: Path) -> None:
    bento = shutil.copytree(packed.path, tmp_path / "bento")
    if made_by == "0.1":
        (bento / "src" / "modelyard_bentos" / "server.py").unlink()
    script = ROOT / "requirements" / "serve.py"
    port = free_range(1)
    options = ["--host", "127.0.0.1", "--port", str(port), "--timeout-graceful-shutdown", "30"]
    environment = os.environ | {"MODELYARD_SERVING": '{"drain_seconds": 0}'}
    with subprocess.Popen(
        [sys.executable, str(script), str(bento), *options], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as process:
        try:
            until(lambda: process.poll() is not None or answers(port))
            assert ("bentoml" in psutil.Process(process.pid).cmdline()) == (made_by == "0.1")
        finally:
            process.terminate()
            process.communicate()
    assert process.returncode == 0
