"""`modelyard undeploy`: a release goes."""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings
from modelyard.cli.releases import Namespace, cluster_settings, connect, find_release

__all__ = ["EXAMPLE", "undeploy"]

EXAMPLE = "modelyard undeploy people --namespace scoring"


def undeploy(
    name: Annotated[str, typer.Argument(metavar="RELEASE", help="Its name.", show_default=False)],
    overrides: Overrides = None,
    namespace: Namespace = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove a release with everything that belongs to it, its history too; the image stays in its registry."""
    cluster, helm = connect(cluster_settings(load_settings(overrides, config_dir), namespace))
    find_release(name, helm, cluster).undeploy()
    document = {"release": name, "namespace": helm.namespace, "state": "removed"}
    if as_json:
        emit(document)
    else:
        print_pairs(document)
