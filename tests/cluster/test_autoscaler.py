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
from pathlib import Path

import numpy as np
import pytest

from cluster.arrivals import Step, Window, arrive, windows
from cluster.forest import Forest, make_forest
from cluster.place import Namespace
from cluster.releases import Deployer

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LOW, HIGH = 0.2, 0.8  # cores
BEFORE_S, BACK_WITHIN_S, AFTER_S = 30.0, 60.0, 100.0
WINDOW_S = 5.0
OBJECTIVE_MS = 150.0
# a pod gets no more than it would on a full node, so that two cannot take what is coming
SIZE = {
    "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "350m", "memory": "512Mi"}},
    "serving": {"max_concurrency": 64},
    "replicas": 2,
}


def scaling(on: bool) -> dict[str, object]:
    bounds = {"minReplicas": 2, "maxReplicas": 8, "targetCPUUtilizationPercentage": 70}
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


@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_p99_comes_back_only_with_the_autoscaler(deployer: Deployer, forest: Forest, tmp_path: Path, on: bool) -> None:
    if not deployer.cluster.bed:
        pytest.skip("requests would go through a forwarded port, which leads to one pod")
    deployer.having(scaling(False)).deploy(forest.tag)
    low, high = (Step(seconds, cores / forest.work_s) for seconds, cores in ((BEFORE_S, LOW), (AFTER_S, HIGH)))
    with deployer.namespace.address("service/people", 80) as url:
        arrive(url, forest.body, [low])
        # only now: what a start takes of the CPU is no load to follow
        deployer.having(scaling(on)).deploy(forest.tag)
        with pods_over_time(deployer.namespace) as pods:
            seen = arrive(url, forest.body, [low, high])
    outcomes = Counter(arrival.outcome for arrival in seen)
    spans = windows(seen, WINDOW_S)
    back = back_after(spans)
    last = [arrival.ms for arrival in seen if arrival.at >= BEFORE_S + BACK_WITHIN_S and arrival.outcome == "200"]
    p99 = float(np.percentile(last, 99))
    record = {
        "autoscaler": on,
        "work_ms": round(1000 * forest.work_s, 2),
        "objective_ms": OBJECTIVE_MS,
        "rises_at_s": BEFORE_S,
        "rates": [round(low.rate, 1), round(high.rate, 1)],
        "outcomes": outcomes,
        "p99_at_the_end_ms": round(p99, 1),
        "back_after_s": back,
        "pods": pods,
        "windows": [dataclasses.asdict(span) for span in spans],
    }
    folder = Path(os.environ.get("CLUSTER_RECORDS", tmp_path))
    (folder / f"autoscaler-{'on' if on else 'off'}.json").write_text(json.dumps(record))
    print({name: value for name, value in record.items() if name != "windows"})
    assert set(outcomes) <= {"200", "429"}
    if on:
        assert back is not None
        assert back <= BACK_WITHIN_S
        assert p99 <= OBJECTIVE_MS
    else:
        assert p99 > OBJECTIVE_MS


def back_after(spans: list[Window]) -> float | None:
    """Returns how many seconds after the rise p99 is at the objective for good, with nothing refused."""
    missed = [span.at for span in spans if span.p99_ms > OBJECTIVE_MS or span.refused]
    if not missed or missed[-1] < BEFORE_S:
        return 0.0
    return None if missed[-1] == spans[-1].at else missed[-1] + WINDOW_S - BEFORE_S
