"""A program in Helm's place, for what a real one says only of a cluster that is broken in the right way."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

__all__ = ["FakeHelm", "revision"]

SCRIPT = """#!/bin/sh
here={here}
echo "$*" >> "$here/calls"
case " $* " in *" --values - "*) cat > "$here/values"; (cat "$here/values"; echo) >> "$here/given";; esac
for words in "$1 $2" "$1"; do
    answer="$here/$(echo "$words" | tr ' ' '_')"
    [ -f "$answer.sh" ] && . "$answer.sh"
    if [ -f "$answer.err" ]; then cat "$answer.err" >&2; exit 1; fi
    if [ -f "$answer.out" ]; then cat "$answer.out"; exit 0; fi
done
"""


class FakeHelm:
    """Answers each of Helm's commands with what it was given, and remembers how it was called.

    Args:
        folder: Where it is put; belongs on PATH.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = folder / "helm"
        program.write_text(SCRIPT.format(here=shlex.quote(str(folder))))
        program.chmod(0o755)
        self.prints("version", "v4.3.1")
        self.answers("history", [revision(1)])
        self.answers("get values", {})
        self.answers("list", [])

    def prints(self, command: str, text: str) -> None:
        """Lets a command succeed with this text."""
        self._answer(command, "out", text)
        self._file(command, "err").unlink(missing_ok=True)

    def answers(self, command: str, document: Any) -> None:
        """Lets a command succeed with this document."""
        self.prints(command, json.dumps(document))

    def fails(self, command: str, said: str) -> None:
        """Lets a command fail with this on standard error."""
        self._answer(command, "err", said)

    def waits(self, command: str) -> None:
        """Lets a command hang until it is asked to end, as Helm waits for pods."""
        script = """
            trap 'touch "$here/cancelled"; kill $child' TERM INT
            sleep 60 & child=$!
            touch "$here/waiting"
            wait
        """
        self._answer(command, "sh", script)

    @property
    def waiting(self) -> bool:
        """Whether one hangs."""
        return (self._folder / "waiting").exists()

    @property
    def cancelled(self) -> bool:
        """Whether one that hung was asked to end."""
        return (self._folder / "cancelled").exists()

    @property
    def calls(self) -> list[str]:
        """Its arguments, by call."""
        return (self._folder / "calls").read_text().splitlines()

    @property
    def values(self) -> dict[str, Any]:
        """The values that it was given last."""
        values: dict[str, Any] = json.loads((self._folder / "values").read_text())
        return values

    @property
    def given(self) -> list[dict[str, Any]]:
        """All values that it was given."""
        return [json.loads(line) for line in (self._folder / "given").read_text().splitlines()]

    def _answer(self, command: str, kind: str, text: str) -> None:
        self._file(command, kind).write_text(text)

    def _file(self, command: str, kind: str) -> Path:
        return self._folder / f"{command.replace(' ', '_')}.{kind}"


def revision(number: int, status: str = "deployed", **more: Any) -> dict[str, Any]:
    """Returns a revision as `helm history --output json` lists it."""
    return {
        "revision": number,
        "updated": "2026-11-25T12:00:00.123456789Z",
        "status": status,
        "chart": "modelyard-serving-0.1.0",
        "app_version": "0.1.0",
        "description": "Upgrade complete",
        **more,
    }
