"""Runs first in every process of a service under test, by PYTHONPATH.

Moves the process into the control group named by HOSTILE_GROUP, and appends a line to the file named by
HOSTILE_CALLBACKS for each event-loop callback that takes longer than `REPORT_S` seconds of CPU time.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

REPORT_S = 0.02
# of asyncio.Protocol; uvloop calls them past `call_soon`
PROTOCOL = ("connection_made", "data_received", "eof_received", "connection_lost", "pause_writing", "resume_writing")


def timed(callback: Callable[..., Any], *args: Any) -> Any:
    """Calls an event-loop callback and reports the CPU time of its thread."""
    began = time.thread_time()
    try:
        return callback(*args)
    finally:
        spent = time.thread_time() - began
        if spent > REPORT_S:
            with open(os.environ["HOSTILE_CALLBACKS"], "a") as report:
                report.write(f"{spent:.3f} {callback!r}\n")


class TimedLoop(uvloop.Loop):
    """An event loop that reports its slow callbacks."""

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_soon(timed, callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_soon_threadsafe(timed, callback, *args, context=context)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_later(delay, timed, callback, *args, context=context)

    async def create_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        def make() -> asyncio.BaseProtocol:
            protocol: asyncio.BaseProtocol = protocol_factory()
            time_methods(type(protocol))
            return protocol

        return await super().create_server(make, *args, **kwargs)


@functools.cache
def time_methods(protocol: type[asyncio.BaseProtocol]) -> None:
    """Reports slow calls of a protocol's methods."""
    for name in PROTOCOL:
        if method := getattr(protocol, name, None):
            setattr(protocol, name, functools.partialmethod(timed_method, method))


def timed_method(self: Any, method: Callable[..., Any], *args: Any) -> Any:
    """Calls a method of a protocol as `timed` does."""
    return timed(method, self, *args)


if "HOSTILE_CALLBACKS" in os.environ:
    uvloop.Loop = TimedLoop  # type: ignore[misc]  # `new_event_loop` looks it up
if "HOSTILE_GROUP" in os.environ:
    Path(os.environ["HOSTILE_GROUP"], "cgroup.procs").write_text(str(os.getpid()))
