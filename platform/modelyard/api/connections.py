"""The open HTTP connections of one server: their number, and how long they wait for their clients."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Callable
from typing import Protocol

from modelyard.config.models import ServingSettings

__all__ = ["Connection", "Connections"]

logger = logging.getLogger(__name__)

SWEEP_S = 0.5
MEBIBYTE = 2**20
# files that a process needs beside its connections: mapped metrics, logs, sockets of workers
RESERVED_FILES = 128


class Connection(Protocol):
    """One connection, as `Connections` sees it."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport

    @property
    def evictable(self) -> bool:
        """Whether no request is being answered."""

    def check(self, now: float) -> None:
        """Closes the connection if its client takes too long; `now` is on the event loop's clock, in seconds."""


class Connections:
    """The HTTP connections of one server, swept by one timer.

    Args:
        serving: The limits.
        refused: Called with the status of each answer that was sent without a request.

    Attributes:
        now: Time of the last sweep on the event loop's clock, in seconds; to read it for each request would cost more.
    """

    def __init__(self, serving: ServingSettings, refused: Callable[[int], None] = lambda _: None) -> None:
        self.max_header_bytes = serving.max_header_bytes
        self.max_headers = serving.max_headers
        self.client_timeout_s = serving.client_timeout_s
        self.idle_timeout_s = serving.idle_timeout_s
        self.max_connections = _max_connections(serving.max_connections)
        self.refused = refused
        self.now = 0.0
        self._max_unread = serving.max_inflight_mb * MEBIBYTE
        # in the order in which they were opened, and in which they fell behind
        self._open: dict[Connection, None] = {}
        self._unread: dict[Connection, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        """Counts a new connection; at the limit the oldest one without a request is closed for it.

        Returns:
            Whether there is room for it.
        """
        if self._sweeper is None:
            self.now = connection.loop.time()
            self._sweeper = connection.loop.call_later(SWEEP_S, self._sweep, connection.loop)
        if len(self._open) >= self.max_connections:
            waiting = next((each for each in self._open if each.evictable), None)
            if waiting is None:
                return False
            self.remove(waiting)
            waiting.transport.abort()
        self._open[connection] = None
        return True

    def remove(self, connection: Connection) -> None:
        """Ends the count of a connection."""
        self._open.pop(connection, None)
        self._unread.pop(connection, None)

    def pause(self, connection: Connection) -> None:
        """Counts a connection whose client leaves its answers unread; past the limit, the slowest ones are dropped."""
        self._unread[connection] = None
        sizes = {each: each.transport.get_write_buffer_size() for each in self._unread}
        excess = sum(sizes.values()) - self._max_unread
        for each, size in sizes.items():
            if excess <= 0 or each is connection:
                break
            excess -= size
            self.remove(each)
            each.transport.abort()

    def resume(self, connection: Connection) -> None:
        """Ends the count of unread answers."""
        self._unread.pop(connection, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now = loop.time()
        for connection in list(self._open):
            connection.check(self.now)
        self._sweeper = loop.call_later(SWEEP_S, self._sweep, loop) if self._open else None


def _max_connections(wanted: int) -> int:
    """Returns the number of connections for which there are files: a server that runs out of them resets probes too."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = max(files - RESERVED_FILES, 1)
    if files == resource.RLIM_INFINITY or wanted <= possible:
        return wanted
    logger.warning(
        "serving.max_connections is %d, but the process may open only %d files: limited to %d; raise `ulimit -n`",
        *(wanted, files, possible),
    )
    return possible
