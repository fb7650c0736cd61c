"""CPU of one row and of a start: this checkout beside another one of the project.

    git worktree add ../before COMMIT && make -C ../before .venv/ready
    python bench/revisions.py ../before [--rounds 5] [--turns 10] [--seconds 1]

Both checkouts serve the same model (breast cancer, logistic regression: the cheapest request, so the largest share)
by their own `modelyard serve`, beside bare uvicorn. Each round starts new processes, because the place of a process's
memory changes its speed by several percent. Within a round the servers take short turns in random order. The ratio of
a round is the median over its turns. The other checkout makes the model, so that both can read it. Required: at most
1.05 times the CPU of the other checkout.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).parent / "peers"))

import psutil
from servers import bare, end, free_port, wait

from load import Target, measure
from memory import pss
from modelyard.data.contract import Contract

ROOT = Path(__file__).parents[1]
MODEL = "breast cancer, logistic regression"
BARE, HERE, OTHER = "bare uvicorn", "this checkout", "the other"
BOUND = 1.05
WARM_S = 1.0
SAVE = "import sys, pathlib, served; print(served.save(sys.argv[1], pathlib.Path(sys.argv[2]), None)[0])"


@dataclass(frozen=True)
class Round:
    """Figures of one round, by server.

    Attributes:
        turns: CPU microseconds per request, turn by turn.
        start_s: Seconds from the start of the process to its first prediction.
        pss_mb: Proportional set size of the process tree after the load, in megabytes (10^6 bytes).
    """

    turns: list[dict[str, float]]
    start_s: dict[str, float]
    pss_mb: dict[str, float]


def save_model(checkout: Path, work: Path) -> Path:
    """Fits and saves the model with the code of a checkout."""
    command = [checkout / ".venv/bin/python", "-c", SAVE, MODEL, work]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "bench")}
    saved = subprocess.run(command, cwd=work, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Path(saved.stdout.strip().splitlines()[-1])


@contextmanager
def serving(checkout: Path, folder: Path, body: Mapping[str, Any], work: Path) -> Iterator[tuple[Target, float]]:
    """Serves the model by a checkout; gives the server and the seconds until its first prediction."""
    home = work / checkout.name
    home.mkdir(exist_ok=True)
    modelyard, port = checkout / ".venv/bin/modelyard", free_port()
    environment = {**os.environ, "BENTOML_HOME": str(home / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    pack = [modelyard, "pack", folder, "--no-measure", "--json"]
    packed = subprocess.run(pack, cwd=home, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    command = [modelyard, "serve", json.loads(packed.stdout)["bento"], f"api.port={port}"]
    url = f"http://127.0.0.1:{port}/predict"
    with (home / "server.log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait(process, url, body)
            yield Target(process.pid, url, body), time.perf_counter() - began
        finally:
            end(process)


def one_round(other: Path, folder: Path, row: Mapping[str, Any], work: Path, turns: int, seconds: float) -> Round:
    """Starts all servers, loads them in turns and ends them."""
    with ExitStack() as running:
        targets, starts = {BARE: running.enter_context(bare(row))}, {}
        for name, checkout in ((HERE, ROOT), (OTHER, other)):
            targets[name], starts[name] = running.enter_context(serving(checkout, folder, {"rows": [row]}, work))
        for target in targets.values():
            measure(target, WARM_S)
        found = []
        for _ in range(turns):
            names = random.sample(list(targets), len(targets))
            found.append({name: measure(targets[name], seconds).cpu_us for name in names})
        memory = {name: sum(map(pss, _tree(targets[name].pid))) / 1e6 for name in starts}
        return Round(found, starts, memory)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=lambda path: Path(path).absolute())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder = save_model(arguments.other, work)
        row = Contract.from_json((folder / "contract.json").read_bytes()).example
        rounds = [
            one_round(arguments.other, folder, row, work, arguments.turns, arguments.seconds)
            for _ in range(arguments.rounds)
        ]
    print("| | CPU us a request | times the other | times bare uvicorn | first prediction, s | PSS, MB |")
    print("|---|---|---|---|---|---|")
    for name in (BARE, HERE, OTHER):
        cells = [
            _range([median(turn[name] for turn in one.turns) for one in rounds], 1),
            _range(_ratios(rounds, name, OTHER), 3),
            _range(_ratios(rounds, name, BARE), 2),
        ]
        if name != BARE:
            cells += [_range([one.start_s[name] for one in rounds], 2), _range([one.pss_mb[name] for one in rounds], 0)]
        print(f"| {name} | {' | '.join(cells)} |")
    found = median(_ratios(rounds, HERE, OTHER))
    print(f"\n{found:.3f} times the other checkout; {BOUND} wanted: {'reached' if found <= BOUND else 'not reached'}")


def _tree(pid: int) -> list[int]:
    parent = psutil.Process(pid)
    return [pid, *(child.pid for child in parent.children(recursive=True))]


def _ratios(rounds: list[Round], name: str, base: str) -> list[float]:
    return [median(turn[name] / turn[base] for turn in one.turns) for one in rounds]


def _range(values: list[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
