from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelyard.errors import RunLocked
from modelyard.registry.lease import Lease
from modelyard.registry.storage import Storage


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    with Lease(storage, "r"), pytest.raises(RunLocked, match="run r is being written by process"), Lease(storage, "r"):
        pass
    with Lease(storage, "r") as lease:
        lease.check()


def test_of_many_writers_one_gets_in(tmp_path: Path) -> None:
    entered: list[int] = []
    refused: list[int] = []
    start, end = threading.Barrier(6), threading.Barrier(6)

    def write(number: int) -> None:
        start.wait()
        try:
            with Lease(Storage(tmp_path), "r"):
                entered.append(number)
                end.wait()
        except RunLocked:
            refused.append(number)
            end.wait()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entered) == 1
    assert len(refused) == 5


def test_a_holder_that_died_here_is_not_waited_for(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from modelyard.registry.lease import Lease\n"
        "from modelyard.registry.storage import Storage\n"
        "Lease(Storage(sys.argv[1]), 'r').__enter__()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert Storage(tmp_path).list("lease") == ["000001.json"]
    with Lease(Storage(tmp_path), "r"):
        assert Storage(tmp_path).list("lease") == ["000001.json", "000002.json"]


def test_a_holder_elsewhere_is_waited_for_until_its_lease_expires(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    elsewhere = {"host": "another", "process": 1, "expires": 32503680000.0}
    storage.write("lease/000001.json", json.dumps(elsewhere))
    with pytest.raises(RunLocked, match="process 1 on another"), Lease(storage, "r"):
        pass
    storage.write("lease/000001.json", json.dumps({**elsewhere, "expires": 0.0}))
    with Lease(storage, "r"):
        pass


def test_a_lease_is_renewed_and_its_loss_is_noticed(tmp_path: Path) -> None:
    storage = Storage(tmp_path)

    def expires() -> float:
        return float(json.loads(storage.read("lease/000001.json"))["expires"])

    with Lease(storage, "r", duration_s=0.06) as lease:
        first = expires()
        while expires() == first:
            threading.Event().wait(0.005)
        storage.write("lease/000002.json", storage.read("lease/000001.json"))
        lease._renewer.join(10)
        with pytest.raises(RunLocked):
            lease.check()


def test_a_lease_outlives_a_storage_that_fails_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    failed, renewed, write = threading.Event(), threading.Event(), storage.write

    def fail_once(name: str, content: str) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError("the network is down")
        write(name, content)
        renewed.set()

    with Lease(storage, "r", duration_s=0.06) as lease:
        monkeypatch.setattr(storage, "write", fail_once)
        assert failed.wait(10)
        assert renewed.wait(10)
        lease.check()
