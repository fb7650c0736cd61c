"""Memory of a search: the peak over `modelyard run` on adult with two slots, of all its processes together.

    python bench/memory.py DATA_FOLDER [--budget 60]

Twice a second the proportional set sizes (PSS) of all processes are added up: a page that several share counts
once. Prints the peak in MB (10^6 bytes), by kind of process at that moment, and each kind's own. Required: below
2,000 MB.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tables import overrides

INTERVAL_S = 0.5
PR_SET_CHILD_SUBREAPER = 36
# by what the command line has in it; the first that fits
KINDS = {
    "ray::": "Ray workers (trials)",
    "default_worker.py": "Ray workers (trials)",
    "gcs_server": "Ray's own",
    "raylet": "Ray's own",
    "/ray/": "Ray's own",
    "guardian.py": "guardian",
    "bentoml": "bento: build and server",
    "modelyard_bentos": "bento: build and server",
    "multiprocessing": "bento: build and server",
    "modelyard run": "driver",
}


def descendants() -> list[int]:
    """Returns every process below this one; as a subreaper it is the parent of those whose own has ended."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                # the name, in parentheses, may hold anything
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def pss(pid: int) -> int:
    """Returns the proportional set size of a process in bytes; 0 where it has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def kind(pid: int) -> str:
    """Returns what a process is for."""
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return next((name for part, name in KINDS.items() if part in command), command[:60].strip() or "other")
    return "other"


def sample() -> Counter[str]:
    """Returns the bytes by kind."""
    sizes: Counter[str] = Counter()
    for pid in descendants():
        if size := pss(pid):
            sizes[kind(pid)] += size
    return sizes


def main() -> None:
    """Prints a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--budget", type=float, default=60.0)
    args = parser.parse_args()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    peak: Counter[str] = Counter()
    own: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as work:
        command = [
            *(str(Path(sys.executable).with_name("modelyard")), "run", *overrides("adult", args.data.absolute())),
            *("tuning.slots=2", f"tuning.time_budget_s={args.budget}"),
            *(f"storage.runs={work}/runs", f"storage.models={work}/models"),
        ]
        environment = {**os.environ, "BENTOML_HOME": f"{work}/bentoml"}
        with subprocess.Popen(command, cwd=work, env=environment) as process:
            while process.poll() is None:
                sizes = sample()
                own |= sizes
                peak = max(peak, sizes, key=Counter.total)
                time.sleep(INTERVAL_S)
    if process.returncode:
        sys.exit(f"modelyard run ended with {process.returncode}")
    print("\n| processes | at the peak, MB | own peak, MB |\n|---|---|---|")
    for name, size in own.most_common():
        print(f"| {name} | {peak[name] / 1e6:,.0f} | {size / 1e6:,.0f} |")
    print(f"| **all** | **{peak.total() / 1e6:,.0f}** | |")


if __name__ == "__main__":
    main()
