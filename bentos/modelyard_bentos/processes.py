"""BentoML's own command line as a child process: its import is slow, and its logging takes over a process."""

from __future__ import annotations

import os
import sys

__all__ = ["bentoml_command", "last_line", "quiet_environment"]


def bentoml_command(*arguments: str) -> list[str]:
    """Returns the command line of BentoML in this interpreter."""
    return [sys.executable, "-m", "bentoml", *arguments]


def quiet_environment() -> dict[str, str]:
    """Returns this process's environment, with BentoML's usage reports switched off."""
    return os.environ | {"BENTOML_DO_NOT_TRACK": "True"}


def last_line(output: str) -> str:
    """Returns the last line of an output that says something."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
