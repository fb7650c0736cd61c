"""Service under attack: liveness, and the rate of a legitimate client, during each attack of tests/hostile.

    python bench/hostile.py [--seconds 6] [--only WORD]

The packed one-worker service with 46 columns is limited to 512 MiB. One process attacks it without a pause, at a lower
priority, since it stands for machines elsewhere; one asks for `/livez` a hundred times a second; one posts a row at a
time over a connection that is kept. The rate is compared with that of the seconds before. Required: p99 of liveness
below 200 ms, and at least half of the rate.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import ServiceError
from modelyard_bentos.load import ask

# in place of this file's folder, which has a module of the same name as the tests' folder
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile.attacks import ATTACKS
from hostile.connection import PREDICT, Target
from hostile.service import Service, pack_service

COLUMNS = 46
PAUSE_S = 0.01
LIVENESS_MS, SHARE = 200.0, 0.5
NICE = 10


@dataclass(frozen=True)
class Seen:
    """What others saw of the service.

    Attributes:
        p99_ms: Of liveness.
        rate: Answers to a legitimate client, a second.
    """

    p99_ms: float
    rate: float


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--only", default="", help="attacks with this in their name")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, ProcessPoolExecutor(1) as beside:
        os.environ["BENTOML_HOME"] = f"{work}/bentoml"
        tag = pack_service(Path(work), COLUMNS)
        print("| attack | liveness p99 ms | answers/s | share of the rate before | |\n|---|---|---|---|---|")
        reached = []
        for attack in ATTACKS:
            if arguments.only in attack.name:
                reached.append(_row(attack.name, tag, Path(work), beside, arguments.seconds))
    print(f"\nreached during {sum(reached)} of {len(reached)} attacks")


def _row(name: str, tag: str, work: Path, beside: ProcessPoolExecutor, seconds: float) -> bool:
    """Prints the row of one attack on a fresh service; returns whether the goals were reached."""
    service = Service(tag, work, probed=False)
    attacker = multiprocessing.get_context("fork").Process(target=_attack, args=(name, service.target), daemon=True)
    try:
        before = _look(service.target, beside, seconds / 2)
        attacker.start()
        during = _look(service.target, beside, seconds)
    except ServiceError as error:
        print(f"| {name} | | | | not reached: {error} |", flush=True)
        return False
    finally:
        if attacker.pid is not None:
            attacker.terminate()
            attacker.join()
        service.stop()
    share = during.rate / before.rate
    reached = during.p99_ms < LIVENESS_MS and share >= SHARE
    verdict = "reached" if reached else "not reached"
    print(f"| {name} | {during.p99_ms:.0f} | {during.rate:,.0f} | {share:.2f} | {verdict} |", flush=True)
    return reached


def _look(target: Target, beside: ProcessPoolExecutor, seconds: float) -> Seen:
    url = f"http://{target.host}:{target.port}"
    body = json.dumps({"rows": [target.contract.example]}).encode()
    client = beside.submit(ask, f"{url}{PREDICT}", body, connections=1, seconds=seconds, headers=dict(target.headers))
    try:
        probes = ask(f"{url}/livez", None, connections=1, seconds=seconds, pause_s=PAUSE_S)
    finally:
        answers = client.result()
    return Seen(probes.p99_ms, answers.count / answers.seconds)


def _attack(name: str, target: Target) -> None:
    """Attacks until the process is ended."""
    os.nice(NICE)
    attack = next(each for each in ATTACKS if each.name == name)
    while True:
        began = time.monotonic()
        # whether it does harm is for the tests to say
        with suppress(AssertionError, TimeoutError, OSError):
            attack.run(target)
        # an attack that fails at once is no reason to spin
        time.sleep(max(0.0, 0.05 - (time.monotonic() - began)))


if __name__ == "__main__":
    main()
