"""One process that serves an application: uvicorn on a socket that listens before the model is loaded."""

from __future__ import annotations

import signal
import socket
import sys
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from modelyard.errors import ServiceError

__all__ = ["exit_on_signals", "listen", "run", "url_of"]

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Opens the socket of a service.

    Args:
        host: Address or name; of a name's addresses an IPv4 one is preferred.
        port: 0 takes a free one.

    Raises:
        ServiceError: The host is unknown, or the port is taken or not allowed.

    Example:
        >>> with listen("127.0.0.1", 0) as listener:
        ...     url_of(listener).startswith("http://127.0.0.1:")
        True
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = min(found, key=lambda each: each[0] != socket.AF_INET)
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise ServiceError(f"host {host!r} is unknown ({error.strerror}); set another address to listen on") from None
    except OSError as error:
        raise ServiceError(f"cannot listen on {host}:{port}: {_reason(error)}; choose another port or host") from None


def url_of(listener: socket.socket) -> str:
    """Returns the URL under which a listening socket is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def exit_on_signals() -> None:
    """Makes SIGTERM and SIGINT end this process with code 0; process 1 of a container would ignore the first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)


def run(app: ASGIApp, listener: socket.socket, graceful_s: int) -> None:
    """Serves until SIGTERM, SIGINT or SIGHUP.

    uvicorn raises the signal that stopped it again once it has shut down, so call `exit_on_signals` before.

    Args:
        app: The application, with the lane in front.
        listener: The socket; other processes may accept on it too.
        graceful_s: Seconds that requests may take after the drain, before they are cancelled.
    """
    config = uvicorn.Config(
        app,
        lifespan="on",
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=graceful_s,
    )
    uvicorn.Server(config).run([listener])


def _exit(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # a signal's handler
    sys.exit(0)


def _reason(error: OSError) -> str:
    # create_server puts the address into the message
    return (error.strerror or str(error)).partition(" (while")[0]
