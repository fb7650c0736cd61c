"""What watching a service costs: one row a request with its parts off and on.

    python bench/watching.py [--rounds 10] [--seconds 3]

The same model (breast cancer, logistic regression: the cheapest request, so the largest share) is served with metrics
only and with each further part; all take turns. Required: at most 1.03 times the CPU of a request with drift counted,
and 1.10 with all of it.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from load import Target, measure
from modelyard.config import load_config
from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from served import MODELS, save

PLAIN, DRIFT, ALL = "metrics only", "drift counted", "all of it"
BOUNDS = {DRIFT: 1.03, ALL: 1.10}


def variants(work: Path) -> Mapping[str, dict[str, Any]]:
    """Returns the settings of each service."""
    key = work / "key"
    key.write_text(secrets.token_hex(16))
    ids, log = {"feedback_key_file": str(key)}, {"prediction_log": {"url": str(work / "log")}}
    plain = {"drift": False}
    return {
        PLAIN: plain,
        DRIFT: {},
        "ids": plain | ids,
        "prediction log": plain | log,
        ALL: ids | log,
    }


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        folder, _ = save(next(iter(MODELS)), Path(work), None)
        body = {"rows": [load_model(folder).contract.example]}
        targets = {}
        for name, serving in variants(Path(work)).items():
            server = stack.enter_context(Server(folder, load_config(overrides={"serving": serving})))
            targets[name] = Target(server.pid, f"{server.url}/predict", body)
            measure(targets[name], 1)
        rounds = [
            {name: measure(target, arguments.seconds).cpu_us for name, target in targets.items()}
            for _ in range(arguments.rounds)
        ]
    print("| | CPU us a request | times metrics only |\n|---|---|---|")
    for name in targets:
        costs, ratios = [each[name] for each in rounds], [each[name] / each[PLAIN] for each in rounds]
        print(f"| {name} | {_range(costs, 1)} | {_range(ratios, 3)} |")
    for name, bound in BOUNDS.items():
        found = median(each[name] / each[PLAIN] for each in rounds)
        print(f"\n{name}: {found:.3f} times; {bound} wanted: {'reached' if found <= bound else 'not reached'}")


def _range(values: list[float], digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if __name__ == "__main__":
    main()
