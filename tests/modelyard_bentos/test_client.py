from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from malformed_bodies import GOOD
from modelyard.api.server import listen
from modelyard.config.models import Settings
from modelyard.errors import ModelNotFound, ServiceError
from modelyard_bentos import client
from modelyard_bentos.client import Server
from modelyard_bentos.packaging import Packed
from waiting import DEADLINE_S, until


def test_a_model_s_folder_is_served_by_the_given_settings_and_stops_whole(folder: Path, tmp_path: Path) -> None:
    settings = Settings.model_validate({"serving": {"max_rows": 3}})
    log = tmp_path / "serve.log"
    with Server(folder, settings, log=log) as server:
        assert len(server.predict([GOOD] * 3)) == 3
        with pytest.raises(ServiceError, match=r"refused: 4 rows are too many for one request; send at most 3"):
            server.predict([GOOD] * 4)
        with pytest.raises(ServiceError, match=r"refused: /rows/0/agee: .* did you mean 'age'"):
            server.predict([{**GOOD, "agee": 1}])
    with pytest.raises(ServiceError, match="does not answer at"):
        server.health()
    assert log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("bentoml", [False, True])
def test_a_server_that_does_not_start_says_why(bentoml: bool, folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"")
    sentence = r"damaged does not start: .*model\.onnx differs from the manifest; restore the folder"
    with pytest.raises(ServiceError, match=sentence), Server(damaged, bentoml=bentoml):
        pytest.fail("it must not start")


def test_a_bento_that_is_not_there_is_not_started(packed: Packed) -> None:
    with pytest.raises(ModelNotFound, match="did you mean 'people:"):
        Server(packed.tag[:-1])


def test_a_bento_of_0_1_is_served_by_bentoml(packed: Packed, tmp_path: Path) -> None:
    old = shutil.copytree(packed.path, tmp_path / "old")
    (old / "src" / "modelyard_bentos" / "server.py").unlink()
    with Server(old) as server:
        assert server.predict([GOOD])
        assert "bentoml" in psutil.Process(server.pid).cmdline()


def test_a_server_that_is_late_is_ended(packed: Packed) -> None:
    server = Server(packed.tag, deadline_s=0.05)
    with pytest.raises(ServiceError, match=r"does not answer after 0\.05 s"):
        server.__enter__()
    assert server._process is None


@pytest.mark.parametrize("bentoml", [False, True])
def test_a_worker_that_cannot_load_its_model_ends_the_server(bentoml: bool, folder: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(folder, tmp_path / "mine")
    log = tmp_path / "serve.log"
    with Server(mine, Settings.model_validate({"api": {"workers": 2}}), bentoml=bentoml, log=log) as server:
        process = server._process
        assert process is not None
        (mine / "model.onnx").write_bytes(b"")
        for child in psutil.Process(process.pid).children():
            if "--fd" in child.cmdline():
                child.kill()
        until(lambda: process.poll() is not None)
    assert "model.onnx differs from the manifest" in log.read_text()
    assert "Traceback" not in log.read_text()


def serve(target: str, log: Path, **api: Any) -> subprocess.Popen[bytes]:
    code = (
        "import json, sys; from modelyard.config.models import Settings; from modelyard_bentos.client import serve; "
        "serve(sys.argv[1], Settings.model_validate({'api': json.loads(sys.argv[2])}))"
    )
    command = [sys.executable, "-c", code, target, json.dumps(api)]
    environment = os.environ | {"MODELYARD_SERVING": '{"drain_seconds": 0}'}
    with log.open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def test_serve_becomes_the_server(packed: Packed, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = serve(packed.tag, log, host="localhost", port=0)
    try:
        until(lambda: process.poll() is not None or "listening on http://" in log.read_text())
        url = "http://" + log.read_text().partition("listening on http://")[2].split()[0]

        def answers() -> bool:
            try:
                return httpx.get(url + "/api/v1/health").is_success
            except httpx.TransportError:
                return False

        until(answers)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_taken_port_is_said_before_a_server_starts(folder: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        settings = Settings.model_validate({"api": {"port": port}})
        with pytest.raises(ServiceError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use; "):
            client.serve(folder, settings)
