"""Probes under full load: how long does liveness wait while others post a thousand rows at a time?

    python bench/liveness.py DATA_FOLDER [--seconds 20]

Eight connections post bodies of 1,000 rows of adult to one worker (LightGBM) without a pause; one more asks for
`/livez` a hundred times a second. Required: p99 of the probe below 200 ms.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from modelyard_bentos.load import ask
from served import save

ROWS, CONNECTIONS, PAUSE_S = 1000, 8, 0.01
BOUND_MS = 200.0
MODEL = "adult, LightGBM"


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, ProcessPoolExecutor(1) as beside:
        folder, _ = save(MODEL, Path(work), arguments.data)
        body = json.dumps({"rows": [load_model(folder).contract.example] * ROWS}).encode()
        with Server(folder) as server:
            url = f"{server.url}/api/v1/predict"
            load = beside.submit(ask, url, body, connections=CONNECTIONS, seconds=arguments.seconds + 1)
            probes = ask(f"{server.url}/livez", None, connections=1, seconds=arguments.seconds, pause_s=PAUSE_S)
            bodies = load.result()
    print("| | answers | p50 ms | p99 ms | slowest ms |\n|---|---|---|---|---|")
    for name, answers in (("/livez", probes), (f"bodies of {ROWS:,} rows", bodies)):
        figures = f"{answers.p50_ms:.1f} | {answers.p99_ms:.1f} | {answers.slowest_ms:.1f}"
        print(f"| {name} | {answers.count:,} | {figures} |")
    verdict = "reached" if probes.p99_ms < BOUND_MS else "not reached"
    print(f"\np99 of liveness: {probes.p99_ms:.0f} ms; below {BOUND_MS:.0f} wanted: {verdict}")


if __name__ == "__main__":
    main()
