"""The packed service in a process tree of its own: limited in memory, and watched while it is attacked."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import psutil

from hostile.connection import Target
from hostile.legal import ask_legal
from modelyard.config.models import Settings
from modelyard.models.artifact import read_contract
from modelyard_bentos.client import Server
from modelyard_bentos.packaging import find_bento, model_in, pack
from served_model import make_contract, make_table, save_served

__all__ = ["LIMIT_MB", "Service", "pack_service"]

LIMIT_MB = 512
GROWTH_MB = 64
CALLBACK_S = 0.1
KEYS = 20_000
KEY = "the last of all keys"
# how long memory may take to be given back
SETTLE_S = 20.0
SAMPLE_S = 0.1
# measuring its coverage would take CPU time and memory of the service
COVERAGE = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
IN_SERVICE = Path(__file__).parent / "in_service"
# a folder of control groups that divides memory, and the file with a group's limit: versions 1 and 2
GROUPS = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))


def pack_service(folder: Path, columns: int) -> str:
    """Packs a model of so many columns; returns the bento's tag."""
    frame = make_table()
    target = frame.pop("target")
    further = {f"reading_{number:03}": target.index * 0.5 for number in range(columns - len(frame.columns))}
    frame = pd.concat([frame, pd.DataFrame(further), target], axis=1)
    model = save_served(folder / "model", frame, make_contract(frame))
    keys, secret = folder / "keys", folder / "secret"
    names = [f"key {number}" for number in range(KEYS - 1)] + [KEY]
    keys.write_text("".join(f"{hashlib.sha256(name.encode()).hexdigest()} client\n" for name in names))
    secret.write_text("signs the ids of predictions")
    serving = {"keys_file": str(keys), "feedback_key_file": str(secret), "client_timeout_s": 2.0}
    return pack(model, Settings.model_validate({"serving": serving})).tag


class Service:
    """A running service that may take `LIMIT_MB`.

    Args:
        tag: The bento's.
        folder: Where reports are written.
        probed: Whether event-loop callbacks are timed.

    Attributes:
        target: How it is reached.
        start_mb: Memory once it has answered requests of each format.
        is_sound: Whether no attack has done harm so far.
    """

    def __init__(self, tag: str, folder: Path, probed: bool = True) -> None:
        self._callbacks = folder / f"callbacks-{time.monotonic_ns()}"
        self._callbacks.touch()
        environment = {"PYTHONPATH": os.pathsep.join((str(IN_SERVICE), os.environ.get("PYTHONPATH", "")))}
        if probed:
            environment["HOSTILE_CALLBACKS"] = str(self._callbacks)
        with ExitStack() as stack:
            group = stack.enter_context(_memory_group())
            if group is not None:
                environment["HOSTILE_GROUP"] = str(group)
            with patch.dict(os.environ, environment):
                for name in COVERAGE:
                    os.environ.pop(name, None)
                self._server = stack.enter_context(Server(tag))
            if group is None:
                stack.enter_context(_limited(self._server.pid))
            port = int(self._server.url.rpartition(":")[2])
            contract, _ = read_contract(model_in(find_bento(tag)))
            self.target = Target("127.0.0.1", port, contract, {"X-API-Key": KEY})
            ask_legal(self.target)
            self._pids = self._tree()
            self.start_mb = self._memory_mb()
            self._stack = stack.pop_all()
        self.is_sound = True

    def stop(self) -> None:
        """Ends all its processes."""
        self._stack.close()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Asserts that the service has taken no harm once the block has ended."""
        reported = len(self._reports())
        self.is_sound = False
        yield
        assert self._tree() == self._pids, "a process of the service ended or was started anew"
        deadline = time.monotonic() + SETTLE_S
        while (grown := self._memory_mb() - self.start_mb) > GROWTH_MB and time.monotonic() < deadline:
            time.sleep(SAMPLE_S)
        slow = [line for line in self._reports()[reported:] if float(line.split()[0]) > CALLBACK_S]
        assert grown <= GROWTH_MB, f"memory grew by {grown:.0f} MiB over {self.start_mb:.0f} MiB"
        assert not slow, f"event-loop callbacks by seconds of CPU time: {slow[:5]}"
        self.target.post_good_row()
        self.is_sound = True

    def _reports(self) -> list[str]:
        return self._callbacks.read_text().splitlines()

    def _tree(self) -> frozenset[int]:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._server.pid)
            return frozenset(each.pid for each in (root, *root.children(recursive=True)) if _lives(each))
        return frozenset()

    def _memory_mb(self) -> float:
        return _pss_mb(self._server.pid)


def _lives(process: psutil.Process) -> bool:
    return process.status() != psutil.STATUS_ZOMBIE


def _pss_mb(pid: int) -> float:
    """Returns the proportional set size of a process and all below it, in MiB."""
    size = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                size += process.memory_full_info().pss
    return size / 2**20


@contextmanager
def _memory_group() -> Iterator[Path | None]:
    """A control group with the memory limit; None where this process may not make one."""
    for root, limit in GROUPS:
        group = root / f"modelyard-hostile-{os.getpid()}-{time.monotonic_ns()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(LIMIT_MB * 2**20))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group
        finally:
            # the kernel keeps it while a process is ending
            deadline = time.monotonic() + SETTLE_S
            while group.exists():
                try:
                    group.rmdir()
                except OSError:
                    assert time.monotonic() < deadline, f"{group} still has processes"
                    time.sleep(SAMPLE_S)
        return
    yield None


@contextmanager
def _limited(pid: int) -> Iterator[None]:
    """Kills a process tree that takes more than the limit, as the kernel does in a control group."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_S):
            if _pss_mb(pid) > LIMIT_MB:
                with contextlib.suppress(psutil.NoSuchProcess):
                    for process in psutil.Process(pid).children(recursive=True):
                        process.kill()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
