from __future__ import annotations

import numpy as np
import pytest

from measured import capacity_of
from modelyard.errors import ConfigError
from modelyard.kube.capacity import Size, size_for, values_of

SLOW, FAST = 2.0, 0.25  # milliseconds of CPU a request


def waits(size: Size, work_ms: float, rate: float, *, varies: bool, requests: int = 200_000) -> np.ndarray:
    """Milliseconds that requests wait in one pod that gets no more CPU than it asked for: Lindley's recursion."""
    random = np.random.default_rng(1)
    service = work_ms / 1000 / size.cores * (random.exponential(size=requests) if varies else np.ones(requests))
    gaps = random.exponential(1 / rate, requests)
    walk = np.cumsum(np.concatenate(([0.0], service[:-1] - gaps[1:])))
    return 1000 * (walk - np.minimum.accumulate(walk))


@pytest.mark.parametrize("varies", [False, True], ids=["same work", "varying work"])
@pytest.mark.parametrize(("work_ms", "target_rps"), [(FAST, 1000), (FAST, 9000), (SLOW, 60), (SLOW, 700)])
def test_p99_holds_at_the_target_and_where_the_autoscaler_acts(work_ms, target_rps, varies):
    capacity = capacity_of(work_ms=work_ms, alone_ms=3.0)
    size = size_for(capacity, 25.0, target_rps)
    for rate in (target_rps / size.replicas, size.utilization / 100 * size.cores / (work_ms / 1000)):
        assert 3.0 + np.quantile(waits(size, work_ms, rate, varies=varies), 0.99) <= 25.0


def test_the_autoscaler_rests_at_the_target():
    for target_rps in (1, 50, 500, 5000, 50_000):
        size = size_for(capacity_of(work_ms=FAST), 50.0, target_rps)
        busy = target_rps * FAST / 1000 / size.replicas
        assert busy <= size.cores * (size.utilization + 1) / 100
        assert 20 <= size.utilization <= 70
        assert size.most == 2 * size.replicas >= 4


def test_what_is_asked_for_grows_with_the_load():
    capacity = capacity_of(work_ms=FAST)
    sizes = [size_for(capacity, 50.0, target_rps) for target_rps in (10, 1000, 10_000, 100_000)]
    asked = [size.cores * size.replicas for size in sizes]
    assert asked == sorted(asked)
    assert sizes[0].cores == 0.1
    assert [size.replicas for size in sizes] == [2, 2, 4, 38]
    # a process reaches no more than it was measured to, so no pod asks for more
    assert max(size.cores for size in sizes) <= 0.95


def test_a_tighter_objective_leaves_more_room():
    capacity = capacity_of(work_ms=SLOW, alone_ms=3.0)
    tight, loose = (size_for(capacity, p99_ms, 700) for p99_ms in (20.0, 100.0))
    assert tight.utilization < loose.utilization == 70
    assert tight.replicas > loose.replicas


def test_without_a_load_there_are_two_pods_of_a_usual_size():
    size = size_for(capacity_of(work_ms=FAST), 50.0)
    assert (size.replicas, size.cores, size.utilization, size.most, size.target_rps) == (2, 0.5, 70, 10, None)


def test_an_objective_that_no_pod_reaches_is_refused_with_one_that_it_does():
    capacity = capacity_of(work_ms=5.0, alone_ms=7.5)
    with pytest.raises(ConfigError) as refused:
        size_for(capacity, 20.0, 100)
    assert str(refused.value) == (
        "cluster.p99_ms: is 20, but a request takes 5 ms of CPU and, alone, up to 7.5 ms; give at least 37.8"
    )
    assert size_for(capacity, 37.8, 100).utilization == 20
    with pytest.raises(ConfigError, match=r"alone, up to 7\.5 ms"):
        size_for(capacity, 7.0)


def test_memory_has_room_for_bodies_of_each_worker():
    one, four = (
        size_for(capacity_of(memory_mb=memory, workers=workers), 50.0) for memory, workers in ((300, 1), (900, 4))
    )
    assert (one.memory_mi, four.memory_mi) == (512, 1568)
    assert size_for(capacity_of(memory_mb=40), 50.0).memory_mi == 256


def test_a_slow_start_on_little_cpu_is_waited_for():
    assert size_for(capacity_of(start_s=3), 50.0, 10).start_s == 120
    slow = size_for(capacity_of(start_s=20), 50.0, 10)
    assert slow.start_s == 400
    assert values_of(slow)["probes"] == {"startup": {"failureThreshold": 200}}


def test_values_are_those_of_the_chart():
    assert values_of(size_for(capacity_of(work_ms=FAST), 50.0, 1000)) == {
        "replicas": 2,
        "resources": {"requests": {"cpu": "180m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
        "autoscaling": {
            "enabled": True,
            "minReplicas": 2,
            "maxReplicas": 4,
            "targetCPUUtilizationPercentage": 70,
        },
    }
