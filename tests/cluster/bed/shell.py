"""Running other programs, and waiting for what they bring about."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["BedError", "answers", "run", "wait"]

POLL_S = 0.2


class BedError(Exception):
    """A cluster that cannot be started, used or ended; one sentence."""


def run(
    *command: object,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
    deadline_s: float | None = None,
) -> str:
    """Runs a program to its end.

    Args:
        command: The program and its arguments.
        cwd: Where it runs.
        environment: Its environment variables; none: ours.
        text: What it reads from its standard input.
        deadline_s: How long it may take.

    Returns:
        What it printed.

    Raises:
        BedError: It is not there, failed or took too long; with the last line that it printed.
    """
    words = [str(word) for word in command]
    shown = " ".join(words)
    try:
        done = subprocess.run(
            words, cwd=cwd, env=environment, input=text, capture_output=True, text=True, timeout=deadline_s, check=False
        )
    except FileNotFoundError:
        raise BedError(f"there is no program {words[0]}, which `{shown}` needs: install it") from None
    except subprocess.TimeoutExpired:
        raise BedError(f"`{shown}` did not end within {deadline_s:g} s") from None
    if done.returncode:
        said = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        raise BedError(f"`{shown}` failed: {said[-1] if said else f'exit code {done.returncode}'}")
    return done.stdout


def answers(*command: object) -> bool:
    """Returns whether a program ends well; for questions, and for ends of what may be gone already."""
    try:
        run(*command)
    except BedError:
        return False
    return True


def wait(what: str, ready: Callable[[], bool], seconds: float = 90.0, see: object = None) -> None:
    """Returns once `ready` holds.

    Args:
        what: What is waited for, as the sentence's subject.
        ready: Asked several times a second.
        seconds: How long to wait.
        see: Where a person finds out why.

    Raises:
        BedError: It did not come about.
    """
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise BedError(f"{what} did not get ready within {seconds:g} s" + (f": see {see}" if see else ""))
        time.sleep(POLL_S)
