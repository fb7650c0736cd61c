"""Objects of a release as an API server shows them."""

from __future__ import annotations

from typing import Any

__all__ = ["CORE", "DIGEST", "IMAGE", "autoscaler", "deployment", "listed", "pod", "pods_path"]

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"localhost:5000/people@{DIGEST}"
CORE = "/api/v1/namespaces/scoring"
NOW = "2026-11-25T12:00:00Z"


def pods_path(namespace: str = "scoring") -> str:
    """Returns where the pods of a namespace are."""
    return f"/api/v1/namespaces/{namespace}/pods"


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    """Returns a list of objects."""
    return {"kind": "List", "apiVersion": "v1", "metadata": {}, "items": list(items)}


def pod(name: str = "people-1", *, image: str = IMAGE, track: str = "stable", **status: Any) -> dict[str, Any]:
    """Returns a pod with a mesh's container beside the one that predicts.

    Args:
        name: Its name.
        image: What it runs.
        track: Which it is of.
        status: Fields of its container's status; `ready` unless said otherwise.
    """
    container = {
        "name": "serving",
        "image": image,
        "ports": [{"name": "http", "containerPort": 3000}, {"name": "metrics", "containerPort": 9090}],
    }
    state = {"name": "serving", "image": image, "imageID": "", "ready": True, "restartCount": 0, **status}
    return {
        "metadata": {"name": name, "labels": {"modelyard.io/track": track}, "creationTimestamp": NOW},
        "spec": {"nodeName": "n1", "containers": [{"name": "mesh", "image": "mesh:1"}, container]},
        "status": {"phase": "Running", "containerStatuses": [state]},
    }


def deployment(
    name: str = "people",
    replicas: int = 2,
    *,
    track: str = "stable",
    annotations: dict[str, str] | None = None,
    **condition: str,
) -> dict[str, Any]:
    """Returns the Deployment of a track, with a condition where one is given."""
    conditions = [{"status": "True", **condition}] if condition else []
    return {
        "metadata": {
            "name": name,
            "labels": {"modelyard.io/track": track},
            "annotations": annotations or {},
            "resourceVersion": "1",
        },
        "spec": {"replicas": replicas, "selector": {}, "template": {}},
        "status": {"conditions": conditions},
    }


def autoscaler(cpu: int | None, wanted: int = 3) -> dict[str, Any]:
    """Returns the autoscaler of a release that saw this much CPU, in percent."""
    resource = {"name": "cpu", "container": "serving"}
    seen = {"type": "ContainerResource", "containerResource": {**resource, "current": {"averageUtilization": cpu}}}
    target = {"type": "Utilization", "averageUtilization": 70}
    return {
        "metadata": {"name": "people"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "people"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [{"type": "ContainerResource", "containerResource": {**resource, "target": target}}],
        },
        "status": {
            "currentReplicas": 2,
            "desiredReplicas": wanted,
            "currentMetrics": None if cpu is None else [seen],
            "conditions": [],
        },
    }
