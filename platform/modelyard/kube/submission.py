"""From settings to a search in a cluster: files go to the storage, sizes into the chart's values."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.config.manager import ConfigManager
from modelyard.config.models import ClusterSettings, Settings
from modelyard.errors import ClusterError, ConfigError, TableUnreadable
from modelyard.kube.cluster import Cluster, Right
from modelyard.kube.helm import VERBS, Helm
from modelyard.registry.runs import Run
from modelyard.registry.storage import Storage
from modelyard.registry.transfer import upload_once

__all__ = [
    "Order",
    "Size",
    "cluster_storage",
    "install",
    "release_name",
    "require_rights",
    "require_settings",
    "runs_of",
    "token_secret",
    "upload",
    "values_for",
]

# a RayJob's name must leave room for what KubeRay adds
LONGEST_RELEASE = 47
TOKEN_BYTES = 24
LABELS = {"app.kubernetes.io/managed-by": "modelyard", "app.kubernetes.io/part-of": "modelyard"}
MADE = (
    ("secrets", ""),
    ("services", ""),
    ("serviceaccounts", ""),
    ("networkpolicies", "networking.k8s.io"),
)
ENGINES = {"job": ("jobs", "batch"), "kuberay": ("rayjobs", "ray.io")}
SEEN = (Right("get", "pods/log"), Right("list", "pods"), Right("list", "events"))
IMAGE = re.compile(r"(?P<repository>[^@]+?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True)
class Size:
    """How large a search is.

    Attributes:
        workers: Pods beside the one with the driver.
        cpus: Trials at the same time in each pod.
        matrix_bytes: Of the encoded table, where it is known.
    """

    workers: int
    cpus: int
    matrix_bytes: int = 0


@dataclass(frozen=True)
class Order:
    """What was uploaded for a search.

    Attributes:
        settings: With the addresses of what was uploaded.
        config: Address of the settings.
    """

    settings: Settings
    config: str


def cluster_storage(settings: ClusterSettings) -> Storage:
    """Returns the storage that this machine and the pods share.

    Raises:
        ConfigError: ``cluster.storage`` is not set, or only this machine reaches it.
        UsageError: Nothing that is installed can open it.
    """
    if settings.storage is None:
        raise ConfigError(
            "cluster.storage", "is not set", hint="give what pods reach too, such as s3://bucket/modelyard"
        )
    if settings.s3_endpoint is not None:
        os.environ.setdefault("AWS_ENDPOINT_URL", settings.s3_endpoint)
    os.environ.setdefault("AWS_DEFAULT_REGION", settings.s3_region)
    storage = Storage(settings.storage)
    if storage.local:
        hint = "give an fsspec URL such as s3://bucket/modelyard"
        raise ConfigError("cluster.storage", f"is {settings.storage}, a folder of this machine", hint=hint)
    return storage


def require_settings(settings: ClusterSettings) -> None:
    """Looks at what has no default before anything takes time.

    Raises:
        ConfigError: ``cluster.storage`` or ``cluster.training_image`` is not set, or cannot be used.
    """
    cluster_storage(settings)
    _image(settings.training_image)


def runs_of(settings: ClusterSettings) -> str:
    """Returns the address of a cluster's runs."""
    return f"{cluster_storage(settings).url}/runs"


def upload(settings: Settings) -> Order:
    """Uploads what is only here: tables, a contract, wheels, and the settings with the new addresses.

    Raises:
        ConfigError: ``cluster.storage`` cannot be used.
        TableUnreadable: A file cannot be read.
    """
    storage = cluster_storage(settings.cluster)
    data = settings.data.model_dump()
    sent: dict[str, Any] = {}
    for key in ("path", "test_path", "contract"):
        if data[key] is not None and _is_here(data[key]):
            sent[key] = _send(data[key], storage, "tables")
    if "path" in sent:
        sent["storage_options"] = {}  # they were for the place where the table was
    # those of a run that goes on are there already
    wheels = [_send(each, storage, "wheels") if _is_here(each) else each for each in settings.cluster.wheels]
    there = settings.model_copy(
        update={
            "data": settings.data.model_copy(update=sent),
            "cluster": settings.cluster.model_copy(update={"wheels": wheels}),
            "storage": settings.storage.model_copy(update={"runs": f"{storage.url}/runs"}),
        }
    )
    config = upload_once(ConfigManager.to_yaml(there).encode(), "config.yaml", storage, "configs")
    return Order(there, config)


def values_for(order: Order, run: str, size: Size) -> dict[str, Any]:
    """Returns the training chart's values.

    Args:
        order: What was uploaded.
        run: The run's name; empty for a schedule, whose Jobs name their own.
        size: How large the search is.

    Raises:
        ConfigError: ``cluster.training_image`` is not set, or is no image.
    """
    cluster = order.settings.cluster
    values: dict[str, Any] = {
        "run": run,
        "config": order.config,
        "wheels": cluster.wheels,
        "storage": {"url": cluster_storage(cluster).url, "existingSecret": cluster.storage_secret or ""},
        "image": _image(cluster.training_image),
        "token": {"existingSecret": token_secret(release_name(run)) if run else ""},
        "engine": cluster.engine,
        "workers": size.workers,
        "cpus": size.cpus,
    }
    values["storage"]["s3"] = {"endpoint": cluster.s3_endpoint or "", "region": cluster.s3_region}
    if size.matrix_bytes:
        values["memory"] = _memory(size.matrix_bytes)
    if order.settings.tuning.metrics_port is not None:
        values["metrics"] = {"port": order.settings.tuning.metrics_port}
    return values


def install(run: Run, values: Mapping[str, Any], settings: ClusterSettings, cluster: Cluster, helm: Helm) -> None:
    """Makes Ray's token and the release.

    Raises:
        NoRight: The user may not make something that belongs to it.
        ClusterError: The cluster cannot be reached, or refuses.
        ValuesRefused: The chart refuses a value.
    """
    release = release_name(run.name)
    token = {"auth_token": secrets.token_hex(TOKEN_BYTES)}
    cluster.make_secret(token_secret(release), token, {**LABELS, "app.kubernetes.io/instance": release})
    try:
        helm.install(release, "modelyard-training", values, settings.training_values)
    except ClusterError:
        cluster.remove_secret(token_secret(release))
        raise


def require_rights(settings: ClusterSettings, cluster: Cluster) -> None:
    """Asks for everything that a search needs before anything is made.

    Raises:
        NoRight: Names the first right that is missing.
    """
    made = (*MADE, ENGINES[settings.engine])
    cluster.require((*(Right(verb, *resource) for resource in made for verb in VERBS), *SEEN))


def release_name(run: str) -> str:
    """Returns the release of a run: one that a Service and a RayJob can have, and no other run has."""
    name = f"run-{re.sub(r'[^a-z0-9-]', '-', run.lower())}"
    if len(name) <= LONGEST_RELEASE:
        return name
    return f"{name[: LONGEST_RELEASE - 7].rstrip('-')}-{hashlib.sha256(run.encode()).hexdigest()[:6]}"


def token_secret(release: str) -> str:
    """Returns the name of the Secret with Ray's token."""
    return f"{release}-ray"


def _image(name: str | None) -> dict[str, str]:
    if name is None:
        hint = "give an image of the Dockerfile's target training, REGISTRY/NAME@sha256:..."
        raise ConfigError("cluster.training_image", "is not set", hint=hint)
    found = IMAGE.fullmatch(name)
    if found is None or not (found["tag"] or found["digest"]):
        raise ConfigError(
            "cluster.training_image", "needs a tag or a digest", hint=f"write {name}@sha256:... or {name}:TAG"
        )
    return {part: found[part] or "" for part in ("repository", "digest", "tag")}


def _memory(matrix_bytes: int) -> dict[str, int]:
    """Each trial bins or copies the rows of a fold; the head also has the table as it was read."""
    matrix = -(-matrix_bytes // 2**20)
    return {"baseMiB": 1024 + 4 * matrix, "perCpuMiB": 330 + 2 * matrix, "objectStoreMiB": max(200, 2 * matrix + 80)}


def _is_here(path: str) -> bool:
    return "://" not in path


def _send(path: str, storage: Storage, folder: str) -> str:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise TableUnreadable(path, f"cannot be read: {error.strerror}", "check the path") from None
    return upload_once(content, Path(path).name, storage, folder)
