"""The autoscaler under a load that rises fourfold: p99 comes back, and until then nothing but counted refusals."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cluster.arrivals import Step, Window, arrive, windows
from cluster.forest import Forest, make_forest
from cluster.place import Namespace
from cluster.releases import Deployer

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LOW, HIGH = 0.2, 0.8  # cores
BEFORE_S, BACK_WITHIN_S, AFTER_S = 20.0, 60.0, 80.0
WINDOW_S = 5.0
OBJECTIVE_MS = 150.0
# a pod gets no more than it would on a full node, so that two cannot take what is coming
SIZE = {
    "resources": {"requests": {"cpu": "125m", "memory": "1Gi"}, "limits": {"cpu": "250m", "memory": "1Gi"}},
    "serving": {"max_concurrency": 16},
    "replicas": 2,
}


def scaling(on: bool) -> dict[str, object]:
    bounds = {"minReplicas": 2, "maxReplicas": 8, "targetCPUUtilizationPercentage": 100}
    return SIZE | {"autoscaling": {"enabled": on, **bounds}}


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forest]:
    work = tmp_path_factory.mktemp("forest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(work / "bentoml"))
        yield make_forest(work)


@contextmanager
def pods_over_time(namespace: Namespace) -> Iterator[list[tuple[float, int, int]]]:
    """Notes when how many pods were wanted and ready."""
    command = ["kubectl", "--namespace", namespace.name, "get", "deployment/people", "--watch"]
    wanted = "--output=jsonpath={.spec.replicas} {.status.readyReplicas}{'\\n'}"
    began, seen = time.monotonic(), list[tuple[float, int, int]]()
    with subprocess.Popen([*command, wanted], stdout=subprocess.PIPE, text=True) as watch:

        def note() -> None:
            assert watch.stdout is not None
            for line in watch.stdout:
                numbers = [*map(int, line.split()), 0]
                seen.append((round(time.monotonic() - began, 1), numbers[0], numbers[1]))

        reader = threading.Thread(target=note)
        reader.start()
        try:
            yield seen
        finally:
            watch.terminate()
            reader.join()


@dataclass(frozen=True)
class Rise:
    """What a load that rises at once and stays did to a release.

    Attributes:
        outcomes: How often which status came, or the name of an error.
        windows: What came every five seconds.
        pods: When how many pods were wanted and ready.
        p99_ms: Of the requests after the time in which the autoscaler has to act.
        back_after_s: Seconds from the rise until p99 is at the objective for good and nothing is refused; none: never.
    """

    outcomes: dict[str, int]
    windows: list[Window]
    pods: list[tuple[float, int, int]]
    p99_ms: float
    back_after_s: float | None


def rise(url: str, forest: Forest, namespace: Namespace) -> Rise:
    with pods_over_time(namespace) as pods:
        seen = arrive(url, forest.body, [low(forest), Step(AFTER_S, HIGH / forest.work_s)])
    late = [arrival.ms for arrival in seen if arrival.at >= BEFORE_S + BACK_WITHIN_S and arrival.outcome == "200"]
    spans = windows(seen, WINDOW_S)
    outcomes = Counter(arrival.outcome for arrival in seen)
    return Rise(dict(outcomes), spans, pods, round(float(np.percentile(late, 99)), 1), back_after(spans))


def low(forest: Forest) -> Step:
    return Step(BEFORE_S, LOW / forest.work_s)


def back_after(spans: list[Window]) -> float | None:
    missed = [span.at for span in spans if span.p99_ms > OBJECTIVE_MS or span.refused]
    if not missed or missed[-1] < BEFORE_S:
        return 0.0
    return None if missed[-1] == spans[-1].at else missed[-1] + WINDOW_S - BEFORE_S


def keep(forest: Forest, runs: dict[str, Rise], folder: Path) -> None:
    """Writes down what was seen, and prints the sums."""
    shown = {
        "work_ms": round(1000 * forest.work_s, 2),
        "objective_ms": OBJECTIVE_MS,
        "rises_at_s": BEFORE_S,
        "rates": [round(cores / forest.work_s, 1) for cores in (LOW, HIGH)],
    }
    for name, run in runs.items():
        record = shown | dataclasses.asdict(run)
        (folder / f"autoscaler-{name}.json").write_text(json.dumps(record))
        print(name, {key: value for key, value in record.items() if key != "windows"})


def test_p99_comes_back_only_with_the_autoscaler(deployer: Deployer, forest: Forest, tmp_path: Path) -> None:
    if not deployer.cluster.bed:
        pytest.skip("requests would go through a forwarded port, which leads to one pod")
    deployer.having(scaling(False)).deploy(forest.tag)
    with deployer.namespace.address("service/people", 80) as url:
        off = rise(url, forest, deployer.namespace)
        # what a queue or a start takes of the CPU is no load to follow
        arrive(url, forest.body, [low(forest)])
        deployer.having(scaling(True)).deploy(forest.tag)
        on = rise(url, forest, deployer.namespace)
    keep(forest, {"off": off, "on": on}, Path(os.environ.get("CLUSTER_RECORDS", tmp_path)))
    assert set(on.outcomes) <= {"200", "429"}
    assert on.back_after_s is not None
    assert on.back_after_s <= BACK_WITHIN_S
    assert on.p99_ms <= OBJECTIVE_MS < off.p99_ms
