"""The application under a real uvicorn, in a thread of the test's process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from modelyard.api.app import build_app
from modelyard.api.lane import Lane
from modelyard.api.serving import Serving
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from waiting import DEADLINE_S

__all__ = ["running"]


@contextmanager
def running(
    folder: Path, *, http: str = "auto", routers: Sequence[str] = (), **serving: Any
) -> Iterator[tuple[str, int, Serving]]:
    """A uvicorn with the application, in a thread of its own."""
    settings = Settings.model_validate({"serving": serving, "api": {"routers": routers}})
    one = Serving(load_served(folder, settings), settings)
    app = build_app(one)
    app.add_middleware(Lane, **one.lane)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield "127.0.0.1", listener.getsockname()[1], one
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        listener.close()
