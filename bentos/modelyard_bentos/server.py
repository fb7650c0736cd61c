"""Serves a packed model without BentoML: ``python -m modelyard_bentos.server``.

What is served is said in `modelyard_bentos.packed`. One worker is this process itself; several are its children. The
options are those of `bentoml serve` that a deployment uses, so that an image starts either with the same arguments.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

from modelyard.api.server import exit_on_signals, listen, url_of
from modelyard.config.models import Settings
from modelyard.errors import ModelyardError
from modelyard.models.artifact import read_contract
from modelyard.monitoring.logs import set_up_logs
from modelyard_bentos.packed import find_model, read_settings
from modelyard_bentos.workers import FOLDER_VARIABLE, Workers, is_first_to_fail, stop_with_parent

__all__ = ["MODULE", "main"]

MODULE = "modelyard_bentos.server"
GRACEFUL_S = 30

logger = logging.getLogger(MODULE)


def main() -> int:
    """Serves until SIGTERM, SIGINT or SIGHUP; what cannot be served is said in one sentence."""
    exit_on_signals()
    options = _parse()
    try:
        settings = read_settings()
        _set_up_logs(settings)
        folder = find_model(settings)
        if options.fd is not None:
            stop_with_parent()
            return _answer(folder, settings, socket.socket(fileno=options.fd), options.timeout_graceful_shutdown)
        # else prometheus-client would keep the figures in files, as it does for several workers
        os.environ.pop(FOLDER_VARIABLE, None)
        with listen(options.host, options.port) as listener:
            logger.info("listening on %s (press Ctrl-C to stop)", url_of(listener))
            if settings.api.workers == 1:
                return _answer(folder, settings, listener, options.timeout_graceful_shutdown)
            read_contract(folder)  # checks every digest, once for all workers
            graceful = ("--timeout-graceful-shutdown", str(options.timeout_graceful_shutdown))
            command = [sys.executable, "-m", MODULE, *graceful, "--fd"]
            return Workers(command, settings.api.workers, listener).run()
    except ModelyardError as error:
        if options.fd is None or is_first_to_fail():
            print(error, file=sys.stderr, flush=True)
        return error.exit_code


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=3000, help="port to listen on; 0 takes a free one")
    help_ = "seconds that requests may take after the drain"
    parser.add_argument("--timeout-graceful-shutdown", type=int, default=GRACEFUL_S, metavar="SECONDS", help=help_)
    parser.add_argument("--fd", type=int, help=argparse.SUPPRESS)  # a worker's socket
    return parser.parse_args()


def _set_up_logs(settings: Settings) -> None:
    set_up_logs(settings.serving)
    logging.getLogger().setLevel(logging.INFO)
    # what it says of a start and an end is said by us, once for all workers
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def _answer(folder: Path, settings: Settings, listener: socket.socket, graceful_s: int) -> int:
    # the process above several workers needs none of these
    from modelyard.api.app import create_app
    from modelyard.api.server import run
    from modelyard.api.source import load_served
    from modelyard_bentos.schema import make_schema

    served = load_served(folder, settings)
    app = create_app(served, settings)
    app.include_router(make_schema(served.model.name, served.model.contract, settings.serving))
    run(app, listener, graceful_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
