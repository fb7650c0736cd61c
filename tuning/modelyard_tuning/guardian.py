"""A process that outlives the driver and clears up after its local Ray, even where the driver is killed.

Most of Ray's processes end with the driver, but two of its agents look for the others for a minute, and nobody
removes the session's folder. Run as ``python guardian.py FOLDER PID``; it acts when its standard input ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time

__all__ = ["main", "users_of"]

PATIENCE_S = 10.0


def users_of(folder: str) -> set[int]:
    """Returns the processes of this machine that have a file in the folder open; their log, for example."""
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        # processes end while they are looked at, and others' are not ours to see
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{entry}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{entry}/fd/{descriptor}").startswith(folder + "/"):
                        found.add(int(entry))
                        break
    return found


def main(folder: str, driver: int) -> None:
    """Waits for the driver's end, then ends whoever still uses the folder, and removes it."""
    sys.stdin.buffer.read()
    end = time.monotonic() + PATIENCE_S
    while os.path.isdir("/proc") and (left := users_of(folder) - {driver, os.getpid()}) and time.monotonic() < end:
        for process in left:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
