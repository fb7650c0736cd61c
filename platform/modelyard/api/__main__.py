"""Serves the champion for development: ``python -m modelyard.api``."""

from __future__ import annotations

import argparse
import logging
import sys

import uvicorn

from modelyard.api.app import create_app
from modelyard.config.manager import load_config
from modelyard.errors import ModelyardError
from modelyard.monitoring.logs import set_up_logs

__all__ = ["main"]


def main() -> int:
    """Serves until it is interrupted; a model that cannot be loaded is said in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m modelyard.api", description=__doc__)
    parser.add_argument("--host", help="address to listen on; api.host by default")
    parser.add_argument("--port", type=int, help="port to listen on; api.port by default")
    parser.add_argument("overrides", nargs="*", help="settings, such as serving.max_rows=10")
    arguments = parser.parse_args()
    try:
        settings = load_config(arguments.overrides)
        set_up_logs(settings.serving)
        logging.getLogger().setLevel(logging.INFO)
        app = create_app(settings=settings)
    except ModelyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    host = settings.api.host if arguments.host is None else arguments.host
    port = settings.api.port if arguments.port is None else arguments.port
    uvicorn.run(app, host=host, port=port, access_log=False, log_config=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
