"""A BentoML server as a child process: started, asked, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from modelyard.api.source import MODEL_VARIABLE
from modelyard.config.models import Settings
from modelyard.errors import ServiceError
from modelyard_bentos.contents import SERVICE, SERVING_VARIABLE, SETTINGS_VARIABLE, served_settings
from modelyard_bentos.processes import bentoml_command, last_line, quiet_environment

__all__ = ["Server", "serve"]

HEALTH, READY = "/api/v1/health", "/readyz"
POLL_S = 0.05
ANSWER_S = 60.0


class Server:
    """Runs ``bentoml serve`` on a free port of this machine, in a process group of its own.

    Args:
        target: A bento's tag or folder, a model's folder, or a folder with a bentofile.yaml.
        settings: What a model's folder is served by; a bento has its own.
        deadline_s: Seconds until the server must answer.
        stop_s: Seconds that it has to end after SIGTERM, before it is killed.
        drain_s: Seconds that it goes on answering after SIGTERM; nobody but us asks it, so none.
        environment: Further environment variables.
        log: File to keep the server's output in; none: a temporary one.

    Attributes:
        url: Where it listens.
        log: The file with its output.
        start_s: Seconds from its start to its first answer.

    Example:
        >>> with Server("income:3f2a91b04c77") as server:
        ...     server.predict([{"age": 39, "education": "Bachelors"}])
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        settings: Settings | None = None,
        *,
        deadline_s: float = 120.0,
        stop_s: float = 10.0,
        drain_s: float = 0.0,
        environment: Mapping[str, str] | None = None,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.target = str(target)
        self.deadline_s = deadline_s
        self.stop_s = stop_s
        self._target, served = _resolve(self.target, settings or Settings())
        drain = {SERVING_VARIABLE: json.dumps({"drain_seconds": drain_s})}
        self._environment = quiet_environment() | served | drain | dict(environment or {})
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._keep_log = log is not None
        self.log = Path(log) if log is not None else Path(tempfile.mkstemp(prefix="modelyard-serve-", suffix=".log")[1])
        self.start_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Starts the server and waits until it answers.

        Raises:
            ServiceError: It ended or did not answer in time; with the last line of its output.
        """
        began = time.perf_counter()
        try:
            self._start()
            self._wait()
        except BaseException:
            self.stop()
            raise
        self.start_s = time.perf_counter() - began
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops the server."""
        self.stop()

    @property
    def pid(self) -> int:
        """The process that all of the server's others are below."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def predict(self, rows: Sequence[Mapping[str, Any] | Sequence[Any]]) -> list[dict[str, Any]]:
        """Returns a prediction for each row.

        Raises:
            ServiceError: The server refused the rows or did not answer.
        """
        answer = self._ask("/api/v1/predict", json.dumps({"rows": rows}).encode())
        return list(answer["predictions"])

    def health(self) -> dict[str, Any]:
        """Returns what the server says of itself.

        Raises:
            ServiceError: It did not answer.
        """
        return self._ask(HEALTH)

    def stop(self) -> None:
        """Ends the server and everything it started; returns when all of it has ended."""
        process, self._process = self._process, None
        if process is not None:
            _signal(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self.stop_s)
            _signal(process, signal.SIGKILL)
            process.wait()
        if not self._keep_log:
            self.log.unlink(missing_ok=True)

    def _start(self) -> None:
        host, port = self.url.removeprefix("http://").split(":")
        # the drain's default is a day
        drain = ("--timeout-graceful-shutdown", str(max(1, int(self.stop_s) - 1)))
        command = bentoml_command("serve", self._target, "--host", host, "--port", port, *drain)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self.deadline_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServiceError(f"{self.target} does not start: {self._last_line()}")
            # a probe needs no key
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(self.url + READY, timeout=max(POLL_S, deadline - time.monotonic())),
            ):
                return
            time.sleep(POLL_S)
        raise ServiceError(f"{self.target} does not answer after {self.deadline_s:g} s: {self._last_line()}")

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                document: dict[str, Any] = json.load(answer)
                return document
        except urllib.error.HTTPError as error:
            with error:
                raise ServiceError(f"{self.target} refused: {_detail(error.read())}") from None
        except (OSError, ValueError) as error:
            raise ServiceError(f"{self.target} does not answer at {self.url}{path}: {error}") from None

    def _last_line(self) -> str:
        return last_line(self.log.read_text(errors="replace"))


def serve(target: str | os.PathLike[str], settings: Settings) -> NoReturn:
    """Becomes a server at `api.host` and `api.port`: this process ends when the server does.

    Args:
        target: A bento's tag or folder, a model's folder, or a folder with a bentofile.yaml.
        settings: Where to listen; a model's folder is served by the rest of them, a bento has its own.
    """
    served, environment = _resolve(str(target), settings)
    # BentoML takes addresses only
    host, port = socket.gethostbyname(settings.api.host), settings.api.port or _free_port()
    command = bentoml_command("serve", served, "--host", host, "--port", str(port))
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, quiet_environment() | environment)


def _resolve(target: str, settings: Settings) -> tuple[str, dict[str, str]]:
    """Returns what to give to BentoML, and with which environment variables."""
    if not (Path(target) / "manifest.json").is_file():
        return target, {}
    folder = str(Path(target).absolute())
    return SERVICE, {MODEL_VARIABLE: folder, SETTINGS_VARIABLE: served_settings(settings)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Sends a signal to the whole group: the workers are children of the child."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]
