"""The pod of `helm test`: its own command, run here against a real service."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from helm_charts import one, render
from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from served_model import make_table, save_served
from waiting import DEADLINE_S, until

IMAGE = {"image": {"repository": "registry.local/adult", "digest": f"sha256:{'1' * 64}"}}
KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_served(tmp_path_factory.mktemp("model") / "people", make_table())


@pytest.fixture
def keys_file(tmp_path: Path) -> str:
    path = tmp_path / "keys"
    path.write_text(hashlib.sha256(KEY.encode()).hexdigest())
    return str(path)


@contextmanager
def served(folder: Path, keys_file: str | None = None) -> Iterator[str]:
    settings = Settings.model_validate({"serving": {"keys_file": keys_file}})
    server = uvicorn.Server(uvicorn.Config(create_app(load_served(folder, settings), settings), log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(DEADLINE_S)


def run_test(address: str, keys: str = "", key: str = "") -> tuple[int, str]:
    """Runs what the pod runs, with other addresses."""
    (container,) = one(render("modelyard-serving", IMAGE), "Pod")["spec"]["containers"]
    interpreter, flag = container["command"]
    script, *addresses = container["args"]
    assert interpreter == "python"
    assert addresses == ["http://adult:80", "http://adult-stable:80"]
    done = subprocess.run(
        [sys.executable, flag, script, address, address],
        env=os.environ | {"MODELYARD_KEYS": keys, "MODELYARD_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr if done.returncode else done.stdout


def test_the_example_row_is_predicted_through_every_service(folder: Path) -> None:
    with served(folder) as address:
        code, printed = run_test(address)
    assert code == 0, printed
    first, second = printed.splitlines()
    assert first == second
    assert first.startswith(f'{address}: {{"label": ')
    assert " by people " in first


def test_a_key_is_presented(folder: Path, keys_file: str) -> None:
    with served(folder, keys_file) as address:
        code, printed = run_test(address, "adult-keys", KEY)
        assert code == 0, printed
        assert " by people " in printed
        code, printed = run_test(address, "adult-keys", "another")
    assert code == 1
    assert "answers 401" in printed


def test_without_a_key_at_hand_it_says_that_nothing_was_predicted(folder: Path, keys_file: str) -> None:
    with served(folder, keys_file) as address:
        code, printed = run_test(address, "adult-keys")
    assert code == 0
    assert "nothing was predicted" in printed
    with served(folder) as address:
        code, printed = run_test(address, "adult-keys")
    assert code == 1
    assert "predicts without a key" in printed


def test_a_service_that_is_not_there_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    code, printed = run_test(address)
    assert code == 1
    assert printed.startswith(f"{address} cannot be reached: ")
    assert "Traceback" not in printed


def test_the_key_comes_from_the_secret_of_clients() -> None:
    keys = {"existingSecret": "adult-keys", "clientSecret": "adult-client", "clientKey": "token"}
    (container,) = one(render("modelyard-serving", IMAGE | {"apiKeys": keys}), "Pod")["spec"]["containers"]
    assert container["env"] == [
        {"name": "MODELYARD_KEYS", "value": "adult-keys"},
        {"name": "MODELYARD_KEY", "valueFrom": {"secretKeyRef": {"name": "adult-client", "key": "token"}}},
    ]
