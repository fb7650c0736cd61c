"""A server of a model as a child process: started, asked, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
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

from modelyard.api.server import listen
from modelyard.api.source import MODEL_VARIABLE
from modelyard.config.models import Settings
from modelyard.errors import ServiceError
from modelyard_bentos.contents import SERVICE, SERVING_VARIABLE, SETTINGS_VARIABLE, SOURCE, served_settings
from modelyard_bentos.packaging import find_bento
from modelyard_bentos.processes import bentoml_command, last_line, quiet_environment, server_command

__all__ = ["Server", "serve"]

HEALTH, READY = "/api/v1/health", "/readyz"
SERVER = Path("modelyard_bentos", "server.py")
POLL_S = 0.05
ANSWER_S = 60.0


class Server:
    """Serves a model on a free port of this machine, in a process group of its own.

    A bento's folder and a model's are served as `modelyard serve` and an image do it, everything else by BentoML.

    Args:
        target: A bento's tag or folder, a model's folder, or a folder with a bentofile.yaml.
        settings: What a model's folder is served by; a bento has its own.
        bentoml: Serve by ``bentoml serve``, whatever it is.
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
        bentoml: bool = False,
        deadline_s: float = 120.0,
        stop_s: float = 10.0,
        drain_s: float = 0.0,
        environment: Mapping[str, str] | None = None,
        log: str | os.PathLike[str] | None = None,
    ) -> None:
        self.target = str(target)
        self.deadline_s = deadline_s
        self.stop_s = stop_s
        self._command, served = _command(self.target, settings or Settings(), bentoml=bentoml)
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
        # BentoML's default is a day
        graceful = ("--timeout-graceful-shutdown", str(max(1, int(self.stop_s) - 1)))
        command = [*self._command, "--host", host, "--port", port, *graceful]
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

    Raises:
        ModelNotFound: There is no bento with that tag.
        ServiceError: The port is taken, or the host unknown.
    """
    command, environment = _command(str(target), settings)
    # BentoML takes addresses only, and says of a taken port no more than a traceback
    with listen(settings.api.host, settings.api.port) as found:
        host, port = found.getsockname()[:2]
    command += ["--host", host, "--port", str(port)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, quiet_environment() | environment)


def _command(target: str, settings: Settings, *, bentoml: bool = False) -> tuple[list[str], dict[str, str]]:
    """Returns the command that serves a target, without its options, and its environment variables."""
    folder = Path(target).absolute()
    if (folder / "manifest.json").is_file():
        environment = {MODEL_VARIABLE: str(folder), SETTINGS_VARIABLE: served_settings(settings)}
        if bentoml:
            return bentoml_command("serve", SERVICE), environment
        # routers may lie in the project's folder
        command, path = server_command([Path.cwd()] if settings.api.routers else [])
        return command, environment | path
    bento = folder if folder.exists() else find_bento(target)
    # bentos packed by 0.1 have no server of their own
    if bentoml or not (bento / SOURCE / SERVER).is_file():
        return bentoml_command("serve", str(bento)), {}
    return server_command([bento / SOURCE])


def _free_port() -> int:
    with listen("127.0.0.1", 0) as probe:
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
