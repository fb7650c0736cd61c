"""`modelyard attach`: follow a search that a cluster runs."""

from __future__ import annotations

from modelyard.cli.cluster import find_search, watch
from modelyard.cli.options import AsJson, ConfigDir, Overrides, RunName, load_settings, split_target

__all__ = ["EXAMPLE", "attach"]

EXAMPLE = "modelyard attach latest"


def attach(
    name: RunName = "latest", overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False
) -> None:
    """Follow a search in the cluster from any machine, and fetch its run when it is over.

    Ctrl-C only ends the following; the search goes on.
    """
    target, rest = split_target(name, overrides)
    settings = load_settings(rest, config_dir)
    watch(find_search(target or "latest", settings), settings, as_json)
