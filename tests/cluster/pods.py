"""Manifests of pods that are `restricted`: not root, a read-only root, no way to more rights."""

from __future__ import annotations

from typing import Any

__all__ = ["pod"]


def pod(name: str, image: str, **container: Any) -> dict[str, Any]:
    """Returns the manifest of a pod with one container.

    Args:
        name: The pod's.
        image: What it runs.
        container: Further fields of the container.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                    **container,
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
