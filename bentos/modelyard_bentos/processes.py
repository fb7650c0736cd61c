"""The command lines of servers, and of BentoML: its import is slow, and its logging takes over a process."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["bentoml_command", "last_line", "quiet_environment", "server_command"]


def bentoml_command(*arguments: str) -> list[str]:
    """Returns the command line of BentoML in this interpreter."""
    return [sys.executable, "-m", "bentoml", *arguments]


def server_command(folders: Sequence[Path]) -> tuple[list[str], dict[str, str]]:
    """Returns the command line of our own server in this interpreter, and its environment variables.

    Args:
        folders: Where it looks for modules first, such as a bento's source folder. It does not look in the working
            directory.
    """
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    return [sys.executable, "-m", "modelyard_bentos.server"], {"PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def quiet_environment() -> dict[str, str]:
    """Returns this process's environment, with BentoML's usage reports switched off."""
    return os.environ | {"BENTOML_DO_NOT_TRACK": "True"}


def last_line(output: str) -> str:
    """Returns the last line of an output that says something."""
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "it said nothing")
