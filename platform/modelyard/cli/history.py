"""`modelyard history`: what a release ran, and runs."""

from __future__ import annotations

from dataclasses import asdict

from modelyard.cli.console import emit, moment, print_table
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.releases import Namespace, ReleaseName, cluster_settings, connect, find_release

__all__ = ["EXAMPLE", "history"]

EXAMPLE = "modelyard history people --namespace scoring"
HEADINGS = ("revision", "updated", "status", "description", "image")


def history(
    name: ReleaseName = None,
    overrides: Overrides = None,
    namespace: Namespace = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a release's revisions: when, what became of each, and its image."""
    target, rest = split_target(name, overrides)
    cluster, helm = connect(cluster_settings(load_settings(rest, config_dir), namespace))
    release = find_release(target, helm, cluster)
    revisions = release.history()
    if as_json:
        listed = [asdict(revision) | {"image": image} for revision, image in revisions]
        emit({"release": release.name, "namespace": helm.namespace, "revisions": listed})
        return
    rows = [[each.number, moment(each.updated), each.status, each.description, image] for each, image in revisions]
    print_table(f"{release.name}, namespace {helm.namespace}", HEADINGS, rows)
