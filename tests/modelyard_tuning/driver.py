"""A driver in a process of its own, for the tests that end it from outside."""

from __future__ import annotations

import json
import signal
import sys

from modelyard.config.models import Settings
from modelyard.registry.runs import open_run
from modelyard_tuning.job import tune


def main() -> None:
    # a shell starts what runs in its background with the signal ignored, and children inherit that
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings = Settings.model_validate_json(sys.argv[1])
    resume = open_run("latest", settings.storage.runs) if "resume" in sys.argv else None
    outcome = tune(settings, resume=resume)
    print(json.dumps(outcome.to_dict()))


if __name__ == "__main__":
    main()
