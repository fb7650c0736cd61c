"""What keys cost: one row a request with and without them.

    python bench/auth.py [--rounds 10] [--seconds 3]

The same model (breast cancer, logistic regression) is served twice, once with a file of twenty keys of which the last
one is presented; the two take turns, each round with new processes. Required: at most 1.05 times the CPU of a request.
"""

from __future__ import annotations

import argparse
import hashlib
import secrets
import tempfile
from pathlib import Path
from statistics import median

from load import Target, measure
from modelyard.config import load_config
from modelyard.config.models import Settings
from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from served import MODELS, save

KEYS = 20
BOUND = 1.05


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder, _ = save(next(iter(MODELS)), Path(work), None)
        keys = [secrets.token_hex(16) for _ in range(KEYS)]
        digests = Path(work, "keys")
        digests.write_text("".join(f"{hashlib.sha256(key.encode()).hexdigest()} client\n" for key in keys))
        guarded = load_config(overrides={"serving": {"keys_file": str(digests)}})
        body = {"rows": [load_model(folder).contract.example]}

        def cost(settings: Settings | None, headers: dict[str, str]) -> float:
            with Server(folder, settings) as server:
                target = Target(server.pid, f"{server.url}/predict", body, headers)
                measure(target, 1)
                return measure(target, arguments.seconds).cpu_us

        presented = {"Authorization": f"Bearer {keys[-1]}"}
        rounds = [(cost(None, {}), cost(guarded, presented)) for _ in range(arguments.rounds)]
    ratios = [with_key / without for without, with_key in rounds]
    print("| | CPU us a request | times |\n|---|---|---|")
    for name, place in (("no keys", 0), ("with keys", 1)):
        costs = [each[place] for each in rounds]
        times = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" if place else ""
        print(f"| {name} | {median(costs):.1f} ({min(costs):.1f} to {max(costs):.1f}) | {times} |")
    verdict = "reached" if median(ratios) <= BOUND else "not reached"
    print(f"\nwith keys: {median(ratios):.3f} times; {BOUND} wanted: {verdict}")


if __name__ == "__main__":
    main()
