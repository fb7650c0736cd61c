"""Ten minutes at half load: does memory stay, does anything pause?

    python bench/soak.py [--minutes 10]

The model (breast cancer, logistic regression) is asked at about half the rate that it can answer: each connection waits
a millisecond after every answer. Beside it bare uvicorn is asked in the same way over one connection: what both wait
for at the same time is this machine's. Every ten seconds the slowest answer of both and the memory of the server are
taken. Required: memory at the end within 3 % of that after the first minute, and no answer later than 20 ms but for
what the machine did.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "peers"))

from servers import bare

from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from modelyard_bentos.load import Answers, ask
from modelyard_bentos.usage import cpu_seconds, memory_mb
from served import MODELS, save

WINDOW_S, PAUSE_S = 10.0, 0.001
LONGEST_MS, MOST_GROWTH = 20.0, 0.03


def paced(url: str, body: bytes, connections: int) -> Answers:
    """Asks for a window's time."""
    return ask(url, body, connections=connections, seconds=WINDOW_S, pause_s=PAUSE_S)


def half(url: str, body: bytes) -> int:
    """Returns how many connections that wait a millisecond make half the load that the server can take."""
    most = ask(url, body, connections=8, seconds=2)
    one = ask(url, body, connections=1, seconds=2, pause_s=PAUSE_S)
    return max(1, round(most.count / one.count / 2))


def main() -> None:
    """Prints a line for every minute and a verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    minutes = parser.parse_args().minutes
    a_minute = round(60 / WINDOW_S)
    with tempfile.TemporaryDirectory() as work, ProcessPoolExecutor(1) as beside:
        folder, _ = save(next(iter(MODELS)), Path(work), None)
        row = load_model(folder).contract.example
        body = json.dumps({"rows": [row]}).encode()
        with Server(folder) as server, bare(row) as control:
            url = f"{server.url}/predict"
            connections = half(url, body)
            print(f"{connections} connections, each of which waits 1 ms after an answer\n")
            print(
                "| minute | answers/s | CPU, cores | memory, MB | slowest, ms | later than 20 ms | bare, slowest, ms |"
            )
            print("|---|---|---|---|---|---|---|", flush=True)
            memory, ours = [], 0
            for minute in range(1, minutes + 1):
                began, spent = time.perf_counter(), cpu_seconds(server.pid)
                windows = []
                for _ in range(a_minute):
                    other = beside.submit(paced, control.url, body, 1)
                    windows.append((paced(url, body, connections), other.result()))
                seconds = time.perf_counter() - began
                memory.append(memory_mb(server.pid))
                late = [(mine, bares) for mine, bares in windows if mine.slowest_ms > LONGEST_MS]
                ours += sum(bares.slowest_ms < LONGEST_MS / 2 for _, bares in late)
                cells = (
                    f"{minute}",
                    f"{sum(mine.count for mine, _ in windows) / seconds:,.0f}",
                    f"{(cpu_seconds(server.pid) - spent) / seconds:.2f}",
                    f"{memory[-1]:.1f}",
                    f"{max(mine.slowest_ms for mine, _ in windows):.1f}",
                    f"{len(late)} of {len(windows)} windows",
                    f"{max(bares.slowest_ms for _, bares in windows):.1f}",
                )
                print(f"| {' | '.join(cells)} |", flush=True)
    growth = memory[-1] / memory[0] - 1
    verdict = "reached" if growth <= MOST_GROWTH else "not reached"
    print(f"\nMemory at the end: {growth:+.1%} of that after the first minute; {MOST_GROWTH:.0%} wanted: {verdict}")
    verdict = "reached" if not ours else "not reached"
    pauses = f"Windows with a pause beyond {LONGEST_MS:.0f} ms while bare uvicorn had none beyond half of that"
    print(f"{pauses}: {ours}; 0 wanted: {verdict}")


if __name__ == "__main__":
    main()
