"""What watching a service costs: one row a request with its parts off and on.

    python bench/watching.py [--rounds 8] [--turns 12] [--seconds 0.5]

The same model (breast cancer, logistic regression: the cheapest request, so the largest share) is served with metrics
only and with each further part, and bare uvicorn beside them. Each round has new processes, since where a process's
memory happens to lie makes several percent of its time; within it they take short turns in a changing order, since what
else the machine does makes more. A round's ratio is the median of its turns'. Required: at most 1.03 times the CPU of
a request with drift counted, and 1.10 with all of it, which is still to be within 1.7 times bare uvicorn.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).parent / "peers"))

from servers import bare

from load import Target, measure
from modelyard.config import load_config
from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from served import MODELS, save

BARE, PLAIN, DRIFT, ALL = "bare uvicorn", "metrics only", "drift counted", "all of it"
WARM_S = 1.0
# CPU microseconds a request of each service, turn by turn
Turns = list[dict[str, float]]
RATIO = "OTEL_TRACES_SAMPLER_ARG"
BOUNDS = [(DRIFT, PLAIN, 1.03), (ALL, PLAIN, 1.10), (ALL, BARE, 1.7)]


@dataclass(frozen=True)
class Variant:
    """A service.

    Attributes:
        serving: Its settings.
        environment: Its environment variables.
    """

    serving: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)


def variants(work: Path, collector: str) -> Mapping[str, Variant]:
    """Returns the services; one request in a hundred is traced."""
    key = work / "key"
    key.write_text(secrets.token_hex(16))
    ids, log = {"feedback_key_file": str(key)}, {"prediction_log": {"url": str(work / "log")}}
    plain = {"drift": False, "access_log": "none"}
    traced = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        RATIO: "0.01",
    }
    return {
        PLAIN: Variant(plain),
        DRIFT: Variant(plain | {"drift": True}),
        "ids": Variant(plain | ids),
        "prediction log": Variant(plain | log),
        "one in a hundred traced": Variant(plain, traced),
        ALL: Variant(ids | log, traced),
        "all of it, a tenth logged, one in a thousand traced": Variant(
            ids | {"prediction_log": {**log["prediction_log"], "sample": 0.1}}, traced | {RATIO: "0.001"}
        ),
        "all of it, and a line for each request": Variant(ids | log | {"access_log": "all"}, traced),
    }


@contextmanager
def collecting() -> Iterator[str]:
    """A collector of traces that keeps none."""

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        folder, _ = save(next(iter(MODELS)), Path(work), None)
        row = load_model(folder).contract.example
        served = variants(Path(work), stack.enter_context(collecting()))

        def one_round() -> Turns:
            with ExitStack() as running:
                targets = {BARE: running.enter_context(bare(row))}
                for name, variant in served.items():
                    settings = load_config(overrides={"serving": variant.serving})
                    server = running.enter_context(Server(folder, settings, environment=variant.environment))
                    targets[name] = Target(server.pid, f"{server.url}/predict", {"rows": [row]})
                for target in targets.values():
                    measure(target, WARM_S)
                return [_turn(targets, arguments.seconds) for _ in range(arguments.turns)]

        rounds = [one_round() for _ in range(arguments.rounds)]
    print("| | CPU us a request | times metrics only | times bare uvicorn |\n|---|---|---|---|")
    for name in rounds[0][0]:
        costs = _range([median(turn[name] for turn in turns) for turns in rounds], 1)
        times = _range(_ratios(rounds, name, PLAIN), 3), _range(_ratios(rounds, name, BARE), 2)
        print(f"| {name} | {costs} | {' | '.join(times)} |")
    for name, other, bound in BOUNDS:
        found = median(_ratios(rounds, name, other))
        print(f"\n{name}: {found:.3f} times {other}; {bound} wanted: {'reached' if found <= bound else 'not reached'}")


def _turn(targets: Mapping[str, Target], seconds: float) -> dict[str, float]:
    names = random.sample(list(targets), len(targets))
    costs = {name: measure(targets[name], seconds).cpu_us for name in names}
    return {name: costs[name] for name in targets}


def _ratios(rounds: list[Turns], name: str, other: str) -> list[float]:
    return [median(turn[name] / turn[other] for turn in turns) for turns in rounds]


def _range(values: list[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
