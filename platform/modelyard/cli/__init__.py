"""The command line: one module a command; each loads what it needs when it runs."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Runs the command of this process's arguments and ends the process with its exit code."""
    from modelyard.cli.seam import run_command

    sys.exit(run_command(sys.argv[1:]))
