"""A run has one writer: a lease that expires unless its holder renews it.

Each lease is a file of its own number, and taking one over means creating the next number. Creating is the
one step of which only a single process can succeed, so two that find the same expired lease cannot both
become its holder.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from modelyard.errors import RunLocked
from modelyard.registry.storage import Storage

__all__ = ["DURATION_S", "Lease"]

DURATION_S = 30.0
FOLDER = "lease"
_log = logging.getLogger(__name__)


class Lease:
    """The right to write a run, as a context manager.

    Args:
        folder: The run's folder.
        name: The run's name, for messages.
        duration_s: Seconds after which a lease that was not renewed is free.

    Raises:
        RunLocked: On entering, another process holds the lease.
    """

    def __init__(self, folder: Storage, name: str, duration_s: float = DURATION_S) -> None:
        self._folder, self._name, self._duration = folder, name, duration_s
        self._number = 0
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name=f"lease {name}", daemon=True)

    def __enter__(self) -> Lease:
        number, held = self._current()
        if held is not None and not _expired(held):
            raise self._locked(held)
        self._number = number + 1
        if not self._folder.create(self._file(self._number), self._document(self._duration)):
            raise self._locked(self._current()[1])
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._renewer.join()
        if not self._lost.is_set():
            self._folder.write(self._file(self._number), self._document(0.0))

    def check(self) -> None:
        """Raises RunLocked where the lease was lost: this process slept for longer than it lasts, for example."""
        if self._lost.is_set():
            raise self._locked(self._current()[1])

    def _renew(self) -> None:
        while not self._ended.wait(self._duration / 3):
            try:
                if self._current()[0] != self._number:
                    self._lost.set()
                    return
                self._folder.write(self._file(self._number), self._document(self._duration))
            except Exception as error:  # a storage that does not answer now may do so the next time
                _log.warning("the lease of run %s could not be renewed: %s", self._name, error)

    def _current(self) -> tuple[int, dict[str, Any] | None]:
        names = self._folder.list(FOLDER)
        if not names:
            return 0, None
        held: dict[str, Any] = json.loads(self._folder.read(f"{FOLDER}/{names[-1]}"))
        return int(names[-1].removesuffix(".json")), held

    def _document(self, duration: float) -> str:
        holder = {"host": socket.gethostname(), "machine": _machine(), "process": os.getpid()}
        return json.dumps({**holder, "expires": time.time() + duration})

    def _file(self, number: int) -> str:
        return f"{FOLDER}/{number:06d}.json"

    def _locked(self, held: dict[str, Any] | None) -> RunLocked:
        holder = f"process {held['process']} on {held['host']}" if held else "another process"
        return RunLocked(self._name, holder, self._duration)


def _expired(held: dict[str, Any]) -> bool:
    """A holder that died on this machine need not be waited for."""
    if held["expires"] <= time.time():
        return True
    if held.get("machine") != _machine():
        return False
    try:
        os.kill(int(held["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _machine() -> str:
    """Where process numbers mean the same: a pod in another's place has the name of its host, and other processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return socket.gethostname()
