"""Leaving without losing a request: what happens between SIGTERM and the end of the process.

A Service goes on sending to a pod for a moment after its SIGTERM, and clients keep connections open, while uvicorn
closes its listener and its idle connections at once. So the signal is kept back: readiness turns off, every answer
asks its client to close the connection, and uvicorn hears of it only some seconds later. SIGHUP, which a closed
terminal and some supervisors send, does the same instead of killing the process at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from types import FrameType

__all__ = ["Drain"]

logger = logging.getLogger(__name__)


class Drain:
    """Owns SIGTERM and SIGHUP.

    Args:
        seconds: How long to go on answering; 0 stops the server at once, as uvicorn does it.

    Attributes:
        draining: Whether the process is about to end.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.draining = False

    def own_signals(self) -> None:
        """Takes the signals over from the server, which installs its handlers before it starts the application."""
        server_stops = signal.getsignal(signal.SIGTERM)
        if not callable(server_stops) or threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def stop() -> None:
            server_stops(signal.SIGTERM, None)

        def begin(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a signal's handler
            if not self.draining:
                self.draining = True
                loop.call_soon_threadsafe(loop.call_later, self.seconds, stop)

        if self.seconds:
            signal.signal(signal.SIGTERM, begin)
        # nohup has it ignored
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, begin)
