"""What keeps pods from running, in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["ending", "trouble", "waiting"]

PULL = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
SETUP = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def trouble(pods: Iterable[Any]) -> str:
    """Returns what a person has to mend before the pods can run; empty where there is nothing.

    Args:
        pods: As the official client returns them.
    """
    for pod in pods:
        for status in _containers(pod):
            state = status.state.waiting if status.state else None
            if state is None or state.reason not in PULL | SETUP:
                continue
            place = f"pod {pod.metadata.name} on node {pod.spec.node_name}"
            told = (state.message or state.reason).strip().rstrip(".")
            if state.reason in PULL:
                return f"{place} cannot pull {status.image}: {told}"
            return f"{place} cannot start: {told}"
    return ""


def waiting(pods: Iterable[Any]) -> str:
    """Returns why a pod has no node yet; empty where each has one."""
    for pod in pods:
        for condition in pod.status.conditions or ():
            if condition.type == "PodScheduled" and condition.status == "False":
                return f"pod {pod.metadata.name} waits for a node: {condition.message}"
    return ""


def ending(pods: Iterable[Any]) -> str:
    """Returns what the newest pod that failed said at its end; empty where none did."""
    for pod in pods:
        for status in _containers(pod):
            over = status.state.terminated if status.state else None
            if over is not None and over.exit_code:
                told = (over.message or over.reason or "").strip()
                return told or f"pod {pod.metadata.name} ended with exit code {over.exit_code}"
    return ""


def _containers(pod: Any) -> list[Any]:
    return [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]
