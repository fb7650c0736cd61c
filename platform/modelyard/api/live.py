"""How a replica is doing: counts to take differences of, for a page that asks every other second."""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import socket
from collections import Counter

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from modelyard.monitoring.metrics import PredictionMetrics
from modelyard.monitoring.readings import Reading

__all__ = ["Live", "make_live"]


class Bucket(BaseModel):
    """Requests that took at most so long."""

    seconds: float | None = Field(description="At most so many; none: any number.")
    requests: int = Field(description="How many requests, those of the buckets before included.")


class Live(BaseModel):
    """Requests for predictions that a replica's workers answered since it started."""

    replica: str = Field(
        description="Another one for each replica and each start: only counts of the same one compare."
    )
    requests: dict[str, int] = Field(description="Requests by class of their status.", examples=[{"2xx": 90, "4xx": 1}])
    buckets: list[Bucket] = Field(description="The same requests by how long they took, cumulative.")


def make_live(metrics: PredictionMetrics, prefix: str) -> APIRouter:
    """Returns the route of the counts."""
    router, replica = APIRouter(prefix=prefix, tags=["service"]), _replica()

    @router.get("/live", summary="What this replica has answered so far")
    async def get_live() -> Live:
        metrics.flush()
        return await run_in_threadpool(_live, replica, metrics)

    return router


def _live(replica: str, metrics: PredictionMetrics) -> Live:
    families = metrics.everything().collect()
    reading = Reading.of((sample.name, sample.labels, sample.value) for family in families for sample in family.samples)
    requests: Counter[str] = Counter()
    for code, count in reading.by_code.items():
        requests[f"{code[0]}xx"] += count
    bounds = sorted(reading.by_bound.items())
    buckets = [Bucket(seconds=None if math.isinf(bound) else bound, requests=count) for bound, count in bounds]
    return Live(replica=replica, requests=dict(sorted(requests.items())), buckets=buckets)


def _replica() -> str:
    """The same in all workers of a replica, which share the folder of their figures; says nothing of the machine."""
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR") or secrets.token_hex()
    return hashlib.sha256(f"{socket.gethostname()} {shared}".encode()).hexdigest()[:12]
