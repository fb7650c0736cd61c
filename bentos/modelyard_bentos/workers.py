"""Several processes that accept on one socket, and the one above them.

The parent has no port and no control socket: workers inherit the listening socket, are stopped by signals, and end
themselves when the parent is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

__all__ = ["FOLDER_VARIABLE", "Workers", "is_first_to_fail", "stop_with_parent"]

logger = logging.getLogger(__name__)

# SIGHUP: the terminal was closed
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RESTART_PAUSE_S = 1.0
# prometheus-client adds up the workers' figures from files of this folder, which is the workers' alone
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
STDIN = 0


class Workers:
    """Starts workers, and starts another one for each that dies.

    A worker that ends by itself with an error cannot work, whatever else is tried, so it ends all of them; it has
    written the reason. One that was killed is replaced.

    Args:
        command: Command line of a worker; gets the socket's number as its last argument.
        count: How many.
        listener: The socket that they accept on.
    """

    def __init__(self, command: Sequence[str], count: int, listener: socket.socket) -> None:
        self._command = [*command, str(listener.fileno())]
        self._count = count
        self._listener = listener
        self._processes: set[Process] = set()
        self._stopping = False
        self._failed = False

    def run(self) -> int:
        """Returns the exit code once all workers have ended: after SIGTERM, SIGINT or SIGHUP, or when one failed."""
        with tempfile.TemporaryDirectory(prefix="modelyard-metrics-") as folder:
            asyncio.run(self._run(os.environ | {FOLDER_VARIABLE: folder}))
        return int(self._failed)

    async def _run(self, environment: dict[str, str]) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            # nohup lets a service ignore SIGHUP
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._stop)
        await asyncio.gather(*(self._keep_one(environment) for _ in range(self._count)))

    async def _keep_one(self, environment: dict[str, str]) -> None:
        while not self._stopping:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, env=environment, pass_fds=[self._listener.fileno()]
            )
            self._processes.add(process)
            if self._stopping:
                _terminate(process)
            code = await process.wait()
            self._processes.discard(process)
            if self._stopping:
                return
            if code > 0:
                self._failed = True
                self._stop()
                return
            logger.warning("worker %d ended (%s); starting another", process.pid, _how(code))
            await asyncio.sleep(RESTART_PAUSE_S)

    def _stop(self) -> None:
        self._stopping = True
        for process in self._processes:
            _terminate(process)


def stop_with_parent() -> None:
    """Makes this worker drain and end when its parent is gone, however that ended; its standard input is a pipe."""

    def wait() -> None:
        os.read(STDIN, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="modelyard-parent", daemon=True).start()


def is_first_to_fail() -> bool:
    """Whether no other worker has failed: what keeps one from working keeps all, and is said once."""
    try:
        Path(os.environ[FOLDER_VARIABLE], "failed").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _terminate(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else "it was stopped"
