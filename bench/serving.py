"""What one row costs: our service beside bare uvicorn and other ways to serve the same model.

    python bench/serving.py [--data DATA_FOLDER] [--rounds 3] [--seconds 5] [--cache FOLDER]

Every server is one process or worker on this machine, asked over eight connections that are kept alive. The
servers take turns, so that the machine's moods meet all of them; a ratio is taken within a round. CPU is that of a
server's whole process tree. Peers answer the numeric models only; MLServer takes part where `--cache` names a folder
for its environment.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

sys.path.append(str(Path(__file__).parent / "peers"))

from servers import PEERS, bare, install_mlserver

from load import Cost, Target, measure
from modelyard.models.artifact import load_model
from modelyard.models.latency import measure as latency_of
from modelyard_bentos.client import Server
from served import MODELS, save

OURS, BARE = "modelyard", "bare uvicorn"
WARM_UP_S = 1


def one_model(name: str, arguments: argparse.Namespace, work: Path) -> None:
    """Measures a model and prints its table."""
    folder, about = save(name, work, arguments.data)
    model = load_model(folder)
    row = model.contract.example
    onnx_us = latency_of(model.scorer, model.encode([row])).median_us
    peers = dict(PEERS) if name.startswith("breast cancer") else {}
    if peers and arguments.cache:
        mlserver = install_mlserver(arguments.cache)
        if isinstance(mlserver, str):
            print(mlserver)
        else:
            peers["MLServer"] = mlserver
    with contextlib.ExitStack() as running:
        targets = {BARE: running.enter_context(bare(row))}
        server = running.enter_context(Server(folder))
        targets[OURS] = Target(server.pid, f"{server.url}/predict", {"rows": [row]})
        for peer, start in peers.items():
            targets[peer] = running.enter_context(start(folder, row))
        for target in targets.values():
            measure(target, WARM_UP_S)
        rounds = [
            {who: measure(target, arguments.seconds) for who, target in targets.items()}
            for _ in range(arguments.rounds)
        ]
    _show(name, about, onnx_us, rounds)


def _show(name: str, about: str, onnx_us: float, rounds: list[dict[str, Cost]]) -> None:
    print(f"\n### {name} ({about}; bare ONNX {onnx_us:.1f} us a row)\n")
    print("| server | CPU us a request | times bare | times ours | p50 ms | p99 ms | requests/s |")
    print("|---|---|---|---|---|---|---|")
    for who in rounds[0]:
        cost = [one[who] for one in rounds]
        cells = [
            _range([one.cpu_us for one in cost], 1),
            _range([one[who].cpu_us / one[BARE].cpu_us for one in rounds], 2),
            _range([one[who].cpu_us / one[OURS].cpu_us for one in rounds], 2),
            _range([one.p50_ms for one in cost], 2),
            _range([one.p99_ms for one in cost], 2),
            _range([one.rate for one in cost], 0),
        ]
        print(f"| {who} | " + " | ".join(cells) + " |")
    recipe = MODELS[name]
    base = [one[BARE].cpu_us + (onnx_us if recipe.plus_onnx else 0.0) for one in rounds]
    reached = median(one[OURS].cpu_us / floor for one, floor in zip(rounds, base, strict=True))
    floor = "bare uvicorn plus ONNX" if recipe.plus_onnx else "bare uvicorn"
    verdict = "reached" if reached <= recipe.bound else "not reached"
    print(f"\n{OURS}: {reached:.2f} times {floor}; {recipe.bound} wanted: {verdict}", flush=True)


def _range(values: list[float], digits: int) -> str:
    return f"{np.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def main() -> None:
    """Measures every model, adult only where its folder is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--models", default=",".join(str(place) for place in range(len(MODELS))))
    arguments = parser.parse_args()
    names = [list(MODELS)[int(place)] for place in arguments.models.split(",")]
    with tempfile.TemporaryDirectory() as work:
        for name in names:
            if MODELS[name].table is not None or arguments.data is not None:
                one_model(name, arguments, Path(work))


if __name__ == "__main__":
    main()
