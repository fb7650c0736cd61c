"""A request of many rows, by JSON and by Arrow, beside what ONNX Runtime alone spends on the same rows.

    python bench/batch.py DATA_FOLDER [--rows 1000] [--rounds 5]

A forest of 100 trees, LightGBM as it is by default and one of 100 rounds are fitted on adult. In each round ONNX
Runtime scores the encoded rows in this process, and a server on loopback answers them over one connection that is kept
alive. What counts is the CPU time of the process that works, so that a busy machine does not matter much; the wall
time is what a client waits. Prints a markdown table of medians with ranges; the ratios are those within a round.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa

from modelyard.api.formats import ARROW_STREAM
from modelyard.config import load_config
from modelyard.data.encoding import Encoder
from modelyard.models.artifact import load_model, save_model
from modelyard.models.card import Card
from modelyard.models.compiled import compile_model
from modelyard.models.training import fit_rows
from modelyard.plugins.registry import get_trainer
from modelyard_bentos.client import Server
from modelyard_bentos.usage import cpu_seconds
from modelyard_tuning.preparation import load_table, prepare
from tables import settings_of

SECONDS = 1.0  # of each way in a round; the clock of a process ticks a hundred times in it
MODELS: dict[str, tuple[str, dict[str, int]]] = {
    "forest of 100": ("random_forest", {"n_estimators": 100}),
    "LightGBM": ("lightgbm", {}),
    "LightGBM, 100 rounds": ("lightgbm", {"n_estimators": 100}),
}


@dataclass
class Taken:
    """Milliseconds of one way, by round.

    Attributes:
        cpu: Of the process that works.
        wall: From the first byte of a request to the last of its answer.
    """

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def take(self, work: Callable[[], None], cpu: Callable[[], float]) -> None:
        """Repeats some work for a second."""
        work()
        began_cpu, began, times = cpu(), time.perf_counter(), 0
        while time.perf_counter() - began < SECONDS:
            work()
            times += 1
        self.wall.append(1000 * (time.perf_counter() - began) / times)
        self.cpu.append(1000 * (cpu() - began_cpu) / times)


def save(name: str, folder: Path, data: Path) -> tuple[Path, pa.Table]:
    """Fits, compiles and saves a model; returns its folder and the table's inputs."""
    settings = load_config(overrides={"data": settings_of("adult", data)})
    table = load_table(settings)
    prepared = prepare(table, settings)
    algorithm, chosen = MODELS[name]
    trainer = get_trainer(algorithm)
    params = {**trainer.defaults(prepared.folds.shape), **chosen}
    fitted = fit_rows(trainer, params, prepared.folds)
    contract = prepared.contract
    card = Card(model="adult", task="binary", metric="roc_auc", algorithm=algorithm, contract=contract.digest)
    saved = save_model(
        folder / name, contract=contract, card=card, onnx=compile_model(trainer, fitted, prepared.folds.shape)
    )
    return saved, pa.Table.from_pandas(table.frame[list(contract.names)], preserve_index=False)


def stream(table: pa.Table) -> bytes:
    """Returns a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def measure(folder: Path, table: pa.Table, rounds: int) -> dict[str, Taken]:
    """Measures all ways in turns."""
    model = load_model(folder)
    matrix = Encoder(model.contract).encode(table.to_pandas())
    rows = table.to_pylist()
    bodies = {"JSON": ("application/json", json.dumps({"rows": rows}).encode()), "Arrow": (ARROW_STREAM, stream(table))}
    taken = {way: Taken() for way in ("ONNX Runtime", *bodies)}
    settings = load_config(overrides={"serving": {"max_rows": len(rows), "max_body_bytes": 2**30}})
    with Server(folder, settings) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)

        def ask(media_type: str, body: bytes) -> None:
            connection.request("POST", "/api/v1/predict", body, {"Content-Type": media_type})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()

        for _ in range(rounds):
            taken["ONNX Runtime"].take(lambda: model.scorer(matrix), time.process_time)
            for way, (media_type, body) in bodies.items():
                taken[way].take(partial(ask, media_type, body), partial(cpu_seconds, server.pid))
    return taken


def figures(values: list[float], form: str) -> str:
    """Returns a median with its range."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def main() -> None:
    """Prints the table as it is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(
        "| model | rows | way | CPU, ms | wall, ms | CPU, times ONNX Runtime |\n|---|---|---|---|---|---|", flush=True
    )
    with tempfile.TemporaryDirectory() as work:
        os.environ["BENTOML_HOME"] = f"{work}/bentoml"
        for name in MODELS:
            folder, table = save(name, Path(work), args.data)
            taken = measure(folder, table[: args.rows], args.rounds)
            bare = taken["ONNX Runtime"].cpu
            for way, each in taken.items():
                ratios = [mine / other for mine, other in zip(each.cpu, bare, strict=True)]
                cells = (name, f"{args.rows:,}", way, figures(each.cpu, ".2f"), figures(each.wall, ".2f"))
                print(f"| {' | '.join(cells)} | {figures(ratios, '.2f')} |", flush=True)


if __name__ == "__main__":
    main()
