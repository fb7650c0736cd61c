"""What a service's processes take: their memory after 3 s of load, and the time from a start to the first answer.

    python bench/processes.py [--rounds 5] [--model 0]

One of `served.MODELS` is served by one worker and by two, by our own server and by `bentoml serve`; the kinds
take turns. Memory is the proportional set size (PSS) of all processes in MB (10^6 bytes): a page that several share
counts once. Required of our own server with one worker: below 130 MB, and 3 s to the first answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from modelyard.config.models import Settings
from modelyard.models.artifact import read_contract
from modelyard_bentos.client import Server
from modelyard_bentos.load import ask
from served import MODELS, save

LOAD_S, CONNECTIONS = 3.0, 8
# workers, and whether by `bentoml serve`
KINDS = {
    "modelyard serve, one worker": (1, False),
    "bentoml serve, one worker": (1, True),
    "modelyard serve, two workers": (2, False),
    "bentoml serve, two workers": (2, True),
}
REQUIRED = {"modelyard serve, one worker": "130 MB, 3 s"}


def pss_mb(pid: int) -> float:
    """Returns the proportional set size of a process and all below it."""
    parent = psutil.Process(pid)
    return sum(each.memory_full_info().pss for each in (parent, *parent.children(recursive=True))) / 1e6


def measure(folder: Path, workers: int, bentoml: bool) -> tuple[float, float]:
    """Returns memory and seconds of one start."""
    row = read_contract(folder)[0].example
    body = json.dumps({"rows": [row]}).encode()
    began = time.perf_counter()
    with Server(folder, Settings.model_validate({"api": {"workers": workers}}), bentoml=bentoml) as server:
        server.predict([row])
        seconds = time.perf_counter() - began
        ask(f"{server.url}/api/v1/predict", body, connections=CONNECTIONS, seconds=LOAD_S)
        return pss_mb(server.pid), seconds


def main() -> None:
    """Prints a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=int, default=0, help="place in served.MODELS; not adult, which needs its data")
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as work:
        folder, about = save(list(MODELS)[arguments.model], Path(work), None)
        for _ in range(arguments.rounds):
            for kind, (workers, bentoml) in KINDS.items():
                found[kind].append(measure(folder, workers, bentoml))
    print(f"{list(MODELS)[arguments.model]}, {about}\n")
    print("| server | PSS, MB | first answer, s | required |\n|---|---|---|---|")
    for kind, values in found.items():
        memory, seconds = zip(*values, strict=True)
        print(f"| {kind} | {_shown(memory, 0)} | {_shown(seconds, 2)} | {REQUIRED.get(kind, '')} |")


def _shown(values: tuple[float, ...], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
