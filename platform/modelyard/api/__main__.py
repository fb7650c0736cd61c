"""Serves the champion for development: ``python -m modelyard.api``."""

from __future__ import annotations

import argparse
import logging
import sys

from modelyard.api.app import create_app
from modelyard.api.server import exit_on_signals, listen, run, url_of
from modelyard.config.manager import load_config
from modelyard.config.models import ApiSettings
from modelyard.errors import ModelyardError
from modelyard.monitoring.logs import set_up_logs

__all__ = ["main"]

# leaves the default port to `modelyard serve`, which may run beside it
DEFAULT_PORT = 8000
GRACEFUL_S = 30

logger = logging.getLogger(__name__)


def main() -> int:
    """Serves until it is interrupted; a model that cannot be loaded is said in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m modelyard.api", description=__doc__)
    parser.add_argument("--host", help="address to listen on; api.host by default")
    parser.add_argument("--port", type=int, help=f"port to listen on; api.port by default, {DEFAULT_PORT} if not set")
    parser.add_argument("overrides", nargs="*", help="settings, such as serving.max_rows=10")
    arguments = parser.parse_args()
    exit_on_signals()
    try:
        settings = load_config(arguments.overrides)
        set_up_logs(settings.serving)
        logging.getLogger().setLevel(logging.INFO)
        host = settings.api.host if arguments.host is None else arguments.host
        port = _port(settings.api) if arguments.port is None else arguments.port
        app = create_app(settings=settings)
        with listen(host, port) as listener:
            logger.info("listening on %s (press Ctrl-C to stop)", url_of(listener))
            run(app, listener, GRACEFUL_S)
    except ModelyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _port(api: ApiSettings) -> int:
    return DEFAULT_PORT if api.port == ApiSettings().port else api.port


if __name__ == "__main__":
    sys.exit(main())
