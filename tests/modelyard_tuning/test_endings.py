"""What is left when a search is ended from outside: by Ctrl-C, by kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from modelyard.registry.runs import Run, open_run

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).with_name("driver.py")
PATIENCE_S = 240.0


def settings(folder: Path, **tuning: Any) -> str:
    return json.dumps(
        {
            "data": {"path": "sklearn://breast_cancer"},
            "ml": {"folds": 3, "repeats": 1},
            "model": {"algorithms": ["linear"]},
            "tuning": {"slots": 2, **tuning},
            "storage": {"runs": str(folder / "runs")},
        }
    )


def start(document: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVER), document, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def run_with_trials(folder: Path, number: int, process: subprocess.Popen[str]) -> Run:
    """Waits until so many trials have ended."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        if list((folder / "runs").glob(f"*/ledger/{number - 1:05d}-*.json")):
            return open_run("latest", str(folder / "runs"))
        time.sleep(0.05)
    raise AssertionError(f"no {number} trials: {process.communicate(timeout=60)}")


def descendants(process: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    ahead = [process]
    while ahead:
        for child in children.get(ahead.pop(), []):
            found.add(child)
            ahead.append(child)
    return found


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(processes: set[int]) -> bool:
    end = time.monotonic() + 60
    while any(alive(process) for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def left_behind(process: int) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"modelyard-ray-{process}-*"))


def test_a_killed_driver_leaves_no_processes_and_its_run_goes_on(tmp_path: Path) -> None:
    document = settings(tmp_path, time_budget_s=None, trials=40)
    with start(document) as process:
        run = run_with_trials(tmp_path, 6, process)
        ray = descendants(process.pid)
        process.kill()
        process.communicate(timeout=60)
    assert len(ray) >= 4
    assert gone(ray)
    before = run.ledger.records()
    assert len({record.trial for record in before}) < 40
    spent = run.info["spent_s"]

    killed = process.pid
    with start(settings(tmp_path, time_budget_s=None, trials=14), "resume") as process:
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    outcome = json.loads(output)
    assert outcome["run"] == run.name
    after = run.ledger.records()
    assert len({(record.trial, record.rung) for record in after}) == len(after)
    assert [record for record in after if record in before] == before
    assert [trial.number for trial in run.ledger.trials()] == list(range(14))
    assert outcome["trials"] == 14
    assert outcome["seconds"] > spent > 0
    assert run.info["state"] == "complete"
    assert left_behind(killed) == left_behind(process.pid) == []


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    with start(settings(tmp_path, time_budget_s=600.0)) as process:
        run = run_with_trials(tmp_path, 4, process)
        # a terminal sends it to every process of the group
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "SIGINT" not in errors
    outcome = json.loads(output)
    assert outcome["interrupted"]
    ended = [trial for trial in run.trials() if trial["state"] != "interrupted"]
    assert outcome["trials"] == len(ended)
    assert f"<dt>Trials</dt><dd>{len(ended)}</dd>" in Path(outcome["report"]).read_text(encoding="utf-8")
    assert outcome["seconds"] < 300
    assert Path(outcome["model"], "model.onnx").is_file()
    assert run.info["state"] == "complete"
    assert left_behind(process.pid) == []


def test_a_second_ctrl_c_ends_it(tmp_path: Path) -> None:
    with start(settings(tmp_path, time_budget_s=600.0)) as process:
        run = run_with_trials(tmp_path, 1, process)
        ray = descendants(process.pid)
        while process.poll() is None:
            # soon enough that it cannot have come to its end in between; two may arrive as one
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert gone(ray)
    assert run.info["state"] == "interrupted"
    assert left_behind(process.pid) == []
