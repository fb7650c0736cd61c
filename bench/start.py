"""How long a command takes to start, in an environment that is ready.

    python bench/start.py [--runs 5]

Seconds of wall time from the process's start: of `modelyard run` on the bundled table, to its first line and to the
line of its first trial (required: 3 s and 15 s), and of `modelyard --help` and `import modelyard` to their end
(required: 0.5 s), beside an interpreter that does nothing. The kinds take turns, so that a busy moment hits all.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODELYARD = str(Path(sys.executable).with_name("modelyard"))
SHORT = {
    "`python -c pass`": [sys.executable, "-c", "pass"],
    "`import modelyard`": [sys.executable, "-c", "import modelyard"],
    "`modelyard --help`": [MODELYARD, "--help"],
}
FIRST_LINE, FIRST_TRIAL = "`modelyard run`, first line", "`modelyard run`, first trial"
REQUIRED = {"`import modelyard`": 0.5, "`modelyard --help`": 0.5, FIRST_LINE: 3.0, FIRST_TRIAL: 15.0}
TRIAL = re.compile(r"\d+(/\d+)? trial")


def whole(command: list[str]) -> float:
    """Returns the seconds of a command from its start to its end."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def firsts(work: Path) -> tuple[float, float]:
    """Returns the seconds of a run to its first line and to the line of its first trial."""
    # few trials, because what comes after the first is not looked at
    command = [MODELYARD, "run", "tuning.trials=2", f"storage.runs={work}/runs", f"storage.models={work}/models"]
    seconds: dict[str, float] = {}
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "BENTOML_HOME": f"{work}/bentoml"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seconds.setdefault(FIRST_LINE, time.perf_counter() - start)
            if TRIAL.match(line):
                seconds.setdefault(FIRST_TRIAL, time.perf_counter() - start)
    if process.returncode:
        sys.exit(f"modelyard run ended with {process.returncode}")
    return seconds[FIRST_LINE], seconds[FIRST_TRIAL]


def main() -> None:
    """Prints a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    seconds: dict[str, list[float]] = {name: [] for name in (*SHORT, FIRST_LINE, FIRST_TRIAL)}
    for command in SHORT.values():  # what the first start compiles and reads is no part of the others
        whole(command)
    with tempfile.TemporaryDirectory() as work:
        for _ in range(runs):
            for name, command in SHORT.items():
                seconds[name].append(whole(command))
            for name, value in zip((FIRST_LINE, FIRST_TRIAL), firsts(Path(work)), strict=True):
                seconds[name].append(value)
    print("| what | median, s | range, s | required, s |\n|---|---|---|---|")
    for name, values in seconds.items():
        required = f"{REQUIRED[name]:g}" if name in REQUIRED else ""
        low, high = min(values), max(values)
        print(f"| {name} | {statistics.median(values):.2f} | {low:.2f} to {high:.2f} | {required} |")


if __name__ == "__main__":
    main()
