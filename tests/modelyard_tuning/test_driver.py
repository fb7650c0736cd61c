"""A driver as a cluster starts it, by the name of its run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from driver_orders import order, run_of
from modelyard.config.manager import ConfigManager
from modelyard.registry.runs import create_run
from modelyard_tuning import driver
from waiting import until

pytestmark = pytest.mark.slow

PATIENCE_S = 240.0


@pytest.fixture
def ordered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line of a driver whose run nobody has begun."""
    monkeypatch.setenv("RAY_ADDRESS", "local")
    return order(tmp_path)


def test_begins_a_run_and_has_nothing_to_do_when_it_is_complete(
    ordered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert driver.main(ordered) == 0
    run = run_of(tmp_path)
    assert run.info["state"] == "complete"
    assert run.info["progress"]["stage"] == "report"
    assert run.info["progress"]["trials"] == 3
    assert "run weekly-1 is complete: linear, roc_auc" in capfd.readouterr().out

    monkeypatch.delattr(driver, "drive")
    assert driver.is_over(driver.Order.parse(ordered))
    assert driver.main(ordered) == 0
    assert capfd.readouterr().out == "run weekly-1 is complete\n"


def test_bad_data_fails_for_good_and_the_next_try_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "local")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    ordered = order(tmp_path, str(tmp_path / "table.csv"))
    assert driver.main(ordered) == 2
    sentence = (tmp_path / "termination-log").read_text()
    assert "target" in sentence
    assert f"error: {sentence}\n" in capfd.readouterr().err
    info = run_of(tmp_path).info
    assert (info["state"], info["permanent"], info["error"]) == ("failed", True, sentence)

    (tmp_path / "termination-log").unlink()
    assert driver.is_over(driver.Order.parse(ordered))
    assert driver.main(ordered) == 2
    assert (tmp_path / "termination-log").read_text() == sentence


def test_what_may_be_back_later_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ordered = order(tmp_path, "s3://bucket/table.csv")
    assert driver.main(ordered) == 1
    assert "Could not connect" in (tmp_path / "termination-log").read_text()
    info = run_of(tmp_path).info
    assert (info["state"], info["permanent"]) == ("failed", False)
    assert not driver.is_over(driver.Order.parse(ordered))


def test_settings_that_no_run_has_are_said_too(tmp_path: Path) -> None:
    ordered = order(tmp_path)
    (tmp_path / "config.yaml").write_text("tuning: {trails: 3}\n")
    assert driver.main(ordered) == 2
    assert "trails" in (tmp_path / "termination-log").read_text()


def test_a_lease_that_a_dead_driver_left_is_waited_for(
    ordered: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = ConfigManager.from_yaml((tmp_path / "config.yaml").read_text())
    settings.storage.runs = str(tmp_path / "storage" / "runs")
    run = create_run(settings, name="weekly-1", state="submitted")

    def hold(seconds: float) -> None:
        held = {"host": "weekly-1-0", "machine": "another", "process": 1, "expires": time.time() + seconds}
        run.storage.write("lease/000001.json", json.dumps(held))

    hold(3600)
    # it expires while the driver waits for the first time
    waiting = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: hold(-1))
    monkeypatch.setattr(driver, "time", waiting)
    assert driver.main(ordered) == 0
    assert "waiting: run weekly-1 is being written by process 1 on weekly-1-0" in capfd.readouterr().out


def test_a_driver_that_has_to_go_lets_its_lease_go_and_does_not_conclude(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "modelyard_tuning.driver", *order(tmp_path, trials=1000)]
    with subprocess.Popen(command, env=os.environ | {"RAY_ADDRESS": "local"}) as process:
        try:
            until(lambda: process.poll() is not None or len(run_of(tmp_path).storage.list("ledger")) > 4, PATIENCE_S)
            process.send_signal(driver.GO)
            assert process.wait(PATIENCE_S) == 143
        finally:
            process.kill()
    run = run_of(tmp_path)
    assert run.info["state"] == "interrupted"
    assert not run.storage.exists("summary.json")
    (name,) = run.storage.list("lease")
    assert json.loads(run.storage.read(f"lease/{name}"))["expires"] <= time.time()
