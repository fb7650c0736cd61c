"""`modelyard rollback`: what ran before runs again."""

from __future__ import annotations

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.releases import Namespace, ReleaseName, cluster_settings, connect, find_release

__all__ = ["EXAMPLE", "rollback"]

EXAMPLE = "modelyard rollback people --namespace scoring"


def rollback(
    name: ReleaseName = None,
    overrides: Overrides = None,
    namespace: Namespace = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Go back to the last revision that finished before what is there now, and wait until its pods are ready.

    Gets a release out of a change that was cut off, too. Going back twice goes back further.
    """
    target, rest = split_target(name, overrides)
    cluster, helm = connect(cluster_settings(load_settings(rest, config_dir), namespace))
    release = find_release(target, helm, cluster)
    revision, source = release.rollback()
    document = {
        "release": release.name,
        "namespace": helm.namespace,
        "revision": revision.number,
        "as_revision": source.number,
        "image": release.image(),
        "description": source.description,
    }
    if as_json:
        emit(document)
    else:
        print_pairs({name.replace("_", " "): value for name, value in document.items()})
