"""From what one service was measured to take, to how large a deployment of it must be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from modelyard.errors import ConfigError
from modelyard.models.capacity import Capacity

__all__ = ["Size", "size_for", "values_of"]

# Share of what a pod asks for at which the autoscaler aims at most: the rest takes a rising load until new pods answer.
BUSIEST = 0.7
# One pod more than one, so that the loss of a node is not the loss of the service.
FEWEST = 2
# Cores of a pod whose load is not known, and the least that any asks for.
USUAL, LEAST = 0.5, 0.1
# The share of requests that may wait longer than the objective, as its logarithm.
TAIL = math.log(100)
# The least that it aims at: below, it would follow what an idle process spends.
IDLEST = 0.2
# Memory beside what a small load took: the rest of a process, and for each worker a body of many rows.
ROOM, BODY_MI, LEAST_MI, STEP_MI = 1.5, 64, 256, 32
MI = 2**20 / 1e6
# What the chart gives a start, and how often it looks.
START_S, LOOK_S = 120, 2


@dataclass(frozen=True)
class Size:
    """How large a deployment is.

    Attributes:
        cores: That each pod asks for.
        memory_mi: That each pod asks for and may not go past, in MiB.
        replicas: Pods, at least.
        most: Pods, at most.
        utilization: Percent of `cores` that the autoscaler aims at.
        start_s: Seconds that a start may take.
        target_rps: Requests of one row a second that all pods together take; none: not said.
    """

    cores: float
    memory_mi: int
    replicas: int
    most: int
    utilization: int
    start_s: int
    target_rps: float | None


def size_for(capacity: Capacity, p99_ms: float, target_rps: float | None = None) -> Size:
    """Sizes a deployment so that 99 of 100 requests are answered in time.

    A pod is taken as one queue, to which requests come at random. With `work` CPU seconds a request and `spare` cores
    that are idle on average, the wait of the slowest in a hundred is at most `ln(100) * work / spare` (M/M/1; the work
    of a request varies less than that assumes). So a pod needs a number of spare cores whatever its load, and the
    autoscaler's target is the share that they leave. Cores count as the pod asks for them, because that is all it gets
    on a full node.

    Args:
        capacity: As it was measured.
        p99_ms: Milliseconds in which all but the slowest in a hundred must be answered.
        target_rps: Requests of one row a second; none: two pods of a usual size.

    Raises:
        ConfigError: No number of pods reaches this p99.
    """
    work = 1 / min(load.requests_per_cpu_s for load in capacity.loads)
    # what one pod can use, whatever it is given
    reach = max(load.requests_per_s / load.requests_per_cpu_s for load in capacity.loads)
    alone = min(capacity.loads, key=lambda load: load.connections).p99_ms
    wait = (p99_ms - alone) / 1000
    spare = TAIL * work / wait if wait > 0 else math.inf
    busiest = min(BUSIEST, 1 - spare / reach)
    if busiest < IDLEST:
        problem = f"is {p99_ms:g}, but a request takes {work * 1000:.3g} ms of CPU and, alone, up to {alone:.3g} ms"
        raise ConfigError("cluster.p99_ms", problem, hint=f"give at least {_reachable(work, reach, alone):g}")
    if target_rps is None:
        replicas, busy = FEWEST, 0.0
        cores = min(reach, max(USUAL, spare / (1 - BUSIEST)))
    else:
        replicas = max(FEWEST, math.ceil(target_rps * work / (reach * busiest)))
        busy = target_rps * work / replicas
        cores = max(LEAST, busy / BUSIEST, busy + spare, spare / (1 - IDLEST))
    cores = math.ceil(cores * 100 - 1e-6) / 100
    return Size(
        cores=cores,
        memory_mi=_memory(capacity),
        replicas=replicas,
        most=replicas * 2 if target_rps else replicas * 5,
        utilization=math.floor(100 * min(BUSIEST, 1 - spare / cores) + 1e-6),
        start_s=max(START_S, math.ceil(2 * capacity.start_s / cores)),
        target_rps=target_rps,
    )


def values_of(size: Size) -> dict[str, Any]:
    """Returns the serving chart's values of a size."""
    memory = f"{size.memory_mi}Mi"
    values: dict[str, Any] = {
        "replicas": size.replicas,
        "resources": {
            "requests": {"cpu": f"{round(size.cores * 1000)}m", "memory": memory},
            "limits": {"memory": memory},
        },
        "autoscaling": {
            "enabled": True,
            "minReplicas": size.replicas,
            "maxReplicas": size.most,
            "targetCPUUtilizationPercentage": size.utilization,
        },
    }
    if size.start_s > START_S:
        values["probes"] = {"startup": {"failureThreshold": math.ceil(size.start_s / LOOK_S)}}
    return values


def _memory(capacity: Capacity) -> int:
    wanted = ROOM * capacity.memory_mb / MI + BODY_MI * capacity.workers
    return max(LEAST_MI, STEP_MI * math.ceil(wanted / STEP_MI))


def _reachable(work: float, reach: float, alone: float) -> float:
    return math.ceil(10 * (alone + 1000 * TAIL * work / (reach * (1 - IDLEST)))) / 10
