"""What the commands about releases share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.errors import UsageError

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.config.models import ClusterSettings
    from modelyard.kube.cluster import Cluster
    from modelyard.kube.helm import Helm
    from modelyard.kube.release import Release

__all__ = ["Namespace", "ReleaseName", "cluster_settings", "connect", "find_release", "tell"]

Namespace = Annotated[
    str | None, typer.Option("--namespace", metavar="NS", help="Namespace; goes before cluster.namespace.")
]
ReleaseName = Annotated[
    str | None,
    typer.Argument(metavar="RELEASE", help="Its name; none: the only one of the namespace.", show_default=False),
]


def cluster_settings(settings: Settings, namespace: str | None) -> ClusterSettings:
    """Returns the cluster's settings, with the namespace of the command line."""
    return settings.cluster.model_copy(update={"namespace": namespace}) if namespace else settings.cluster


def connect(settings: ClusterSettings) -> tuple[Cluster, Helm]:
    """Returns a namespace and its releases.

    Raises:
        HelmUnfit: There is no helm on PATH, or an old one.
        ClusterError: There is no kubeconfig, or no such context.
    """
    from modelyard.kube.cluster import Cluster
    from modelyard.kube.helm import Helm

    cluster = Cluster(settings)
    return cluster, Helm(cluster.namespace, cluster.context)


def find_release(name: str | None, helm: Helm, cluster: Cluster) -> Release:
    """Returns a release by its name, or the only one.

    Raises:
        UsageError: No name is given, and there is not exactly one.
        ClusterError: The cluster cannot be reached.
    """
    from modelyard.kube.release import CHART, Release

    if name is None:
        there = helm.releases(CHART)
        if len(there) != 1:
            listed = f"name one of {', '.join(there)}" if there else "deploy one with: modelyard deploy IMAGE"
            raise UsageError(f"namespace {helm.namespace} has {len(there) or 'no'} releases; {listed}")
        (name,) = there
    return Release(name, cluster, helm, tell)


def tell(text: str) -> None:
    """Says on standard error what is waited for."""
    print(text, file=sys.stderr, flush=True)
