"""`modelyard runs`: what was searched before."""

from __future__ import annotations

from typing import Any

from modelyard.cli.console import emit, people, print_table
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings

__all__ = ["EXAMPLE", "runs"]

EXAMPLE = "modelyard runs storage.runs=s3://bucket/runs"
FIELDS = ("run", "state", "data", "metric", "score", "trials", "created")
# a run's name begins with when it was made and ends with its table, and 80 characters are few
SHOWN = ("run", "state", "metric", "score", "trials")


def runs(overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False) -> None:
    """List the runs, the newest last."""
    settings = load_settings(overrides, config_dir)
    from modelyard.errors import RunError
    from modelyard.registry.runs import Run, list_runs, open_run

    def describe(run: Run) -> dict[str, Any]:
        try:
            info = run.info
        except RunError:  # one damaged run must not hide the others
            return {"run": run.name, "state": "damaged"}
        known = {"run": run.name, "state": info["state"], "data": info["data"]["source"], "created": info["created"]}
        try:
            return {**run.summary, **known}
        except RunError:  # a run without a winner has no summary
            return known

    storage = settings.storage.runs
    documents = [describe(open_run(name, storage)) for name in list_runs(storage)]
    if as_json:
        emit({"storage": storage, "runs": [{name: each.get(name) for name in FIELDS} for each in documents]})
    elif documents:
        print_table(storage, SHOWN, [[each.get(name) for name in SHOWN] for each in documents])
    else:
        people().print(f"{storage} has no run yet; start one with: modelyard run", markup=False)
