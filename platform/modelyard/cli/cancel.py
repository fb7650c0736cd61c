"""`modelyard cancel`: end a search that a cluster runs."""

from __future__ import annotations

from modelyard.cli.cluster import find_search
from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, RunName, load_settings
from modelyard.cli.summary import print_next

__all__ = ["EXAMPLE", "cancel"]

EXAMPLE = "modelyard cancel latest"


def cancel(name: RunName, overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False) -> None:
    """End a search in the cluster; its finished trials are kept, and it can go on later."""
    settings = load_settings(overrides, config_dir)
    search = find_search(name, settings)
    search.cancel()
    document = {"run": search.run.name, "folder": search.run.folder, "state": search.run.info["state"]}
    if as_json:
        emit(document)
        return
    print_pairs(document)
    print_next((f"modelyard tune --on kube --resume {search.run.name}",))
