"""What a service of the model can take, measured: it says how large a deployment must be."""

from __future__ import annotations

import logging
import os
import platform
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from modelyard.errors import ModelError
from modelyard.models.documents import Document
from modelyard.utils.documents import MAX_DOCUMENT_BYTES
from modelyard.utils.files import open_regular, write_whole

__all__ = ["CAPACITY", "Capacity", "Load", "cpu_name", "keep_capacity", "read_capacity"]

logger = logging.getLogger(__name__)

# beside the manifest, not in it: another machine measures something else of the same model
CAPACITY = "capacity.json"


class Load(BaseModel):
    """What a service did while so many connections asked without a pause, one row a request.

    Attributes:
        connections: How many; each sends its next request when it has its answer.
        requests_per_s: Answers a second.
        requests_per_cpu_s: Answers for each second of CPU that all processes of the service spent.
        p50_ms: Median milliseconds from request to answer.
        p99_ms: The same for the slowest in a hundred.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int
    requests_per_s: float
    requests_per_cpu_s: float
    p50_ms: float
    p99_ms: float


class Capacity(Document):
    """What was measured of a service, with the load on the same machine.

    Attributes:
        format: Version of this description.
        loads: By number of connections.
        start_s: Seconds from the start of the process to its first answer.
        worker_mb: Resident memory of the largest process, in megabytes (10^6 bytes).
        memory_mb: The most that all processes took together, in megabytes; a page that several share counts once where
            the system tells.
        workers: Processes that answer.
        cpu: Name of the processor.
        cores: How many of its cores the service could use.
        packages: Versions by package of what answered.
        measured_at: ISO 8601 in UTC.
    """

    title = "capacity"

    format: Literal[1] = 1
    loads: tuple[Load, ...]
    start_s: float
    worker_mb: float
    memory_mb: float
    workers: int
    cpu: str
    cores: int
    packages: dict[str, str]
    measured_at: str


def keep_capacity(folder: str | os.PathLike[str], capacity: Capacity) -> None:
    """Writes a capacity into a model's folder; what it is and its version stay as they are."""
    write_whole(Path(folder) / CAPACITY, capacity.to_json())


def read_capacity(folder: str | os.PathLike[str]) -> Capacity | None:
    """Returns the capacity that is kept in a model's folder; none where none was measured or the file is damaged."""
    path = Path(folder) / CAPACITY
    try:
        with open_regular(path) as file:
            return Capacity.from_json(file.read(MAX_DOCUMENT_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ModelError) as error:
        # the model is as good as ever
        logger.warning("%s is left out (%s); measure it again by `modelyard verify BENTO --measure`", path, error)
        return None


def cpu_name() -> str:
    """Returns the processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
