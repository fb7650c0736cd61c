"""The log of a search's driver as it is written, across lost connections and replaced pods."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from modelyard.errors import ClusterError
from modelyard.kube.cluster import Cluster

__all__ = ["DriverLog"]

AGAIN_S = 2.0


class DriverLog:
    """Passes on the lines of the newest pod's log, in a thread of its own, while the block lasts.

    Args:
        cluster: Its namespace.
        selector: Labels of the pods with a driver.
        container: The driver's.
        line: Is called with each line.
    """

    def __init__(self, cluster: Cluster, selector: str, container: str, line: Callable[[str], None]) -> None:
        self._cluster, self._selector, self._container, self._line = cluster, selector, container, line
        self._shown: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="driver's log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()  # a connection that waits for the next line ends with this process

    def _follow(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(ClusterError):  # who follows the search says so
                self._read()
            self._over.wait(AGAIN_S)

    def _read(self) -> None:
        pods = [pod for pod in self._cluster.pods(self._selector) if pod.status.phase != "Pending"]
        if not pods:
            return
        name = pods[0].metadata.name
        shown = self._shown.get(name, 0)
        for number, line in enumerate(self._cluster.log(name, self._container), start=1):
            if self._over.is_set():
                return
            if number > shown:
                self._shown[name] = number
                self._line(line)
