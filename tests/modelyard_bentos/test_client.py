from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from malformed_bodies import GOOD
from modelyard.config.models import Settings
from modelyard.errors import ServiceError
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


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("no_such_bento:1", "no_such_bento:1 does not start: "),
        ("damaged", r"damaged does not start: .*model\.onnx differs from the manifest; restore the folder"),
    ],
)
def test_a_server_that_does_not_start_says_why(target: str, sentence: str, folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    (damaged / "model.onnx").write_bytes(b"")
    where = tmp_path / target
    with pytest.raises(ServiceError, match=sentence), Server(where if where.is_dir() else target):
        pytest.fail("it must not start")


def test_a_server_that_is_late_is_ended(packed: Packed) -> None:
    server = Server(packed.tag, deadline_s=0.05)
    with pytest.raises(ServiceError, match=r"does not answer after 0\.05 s"):
        server.__enter__()
    assert server._process is None


def test_a_model_that_is_damaged_later_ends_the_server_with_its_worker(folder: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(folder, tmp_path / "mine")
    log = tmp_path / "serve.log"
    with Server(mine, log=log) as server:
        process = server._process
        assert process is not None
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        (mine / "model.onnx").write_bytes(b"")
        for child in children.read_text().split():
            if b"_bentoml_impl.worker.service" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
        until(lambda: process.poll() is not None)
    assert "model.onnx differs from the manifest" in log.read_text()


def test_serve_becomes_the_server(packed: Packed, tmp_path: Path) -> None:
    code = (
        "import sys; from modelyard.config.models import Settings; from modelyard_bentos.client import serve; "
        "serve(sys.argv[1], Settings.model_validate({'api': {'host': 'localhost', 'port': 0}}))"
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-c", code, packed.tag]
        environment = os.environ | {"MODELYARD_SERVING": '{"drain_seconds": 0}'}
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
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
