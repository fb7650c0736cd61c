"""`modelyard show`: one run and its trials."""

from __future__ import annotations

from modelyard.cli.console import emit, moment, print_pairs, print_table
from modelyard.cli.options import AsJson, ConfigDir, Overrides, RunName, load_settings, split_target

__all__ = ["EXAMPLE", "show"]

EXAMPLE = "modelyard show latest --json"
FIELDS = ("id", "state", "algorithm", "score", "seconds", "started_at")


def show(
    name: RunName = "latest", overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False
) -> None:
    """Show a run: its state, its figures, and every trial.

    Trials that the end of the search interrupted are listed apart; no figure counts them.
    """
    target, rest = split_target(name, overrides)
    settings = load_settings(rest, config_dir)
    from modelyard.errors import RunError
    from modelyard.registry.runs import open_run

    run = open_run(target or "latest", settings.storage.runs)
    every = run.trials()
    trials = [trial for trial in every if trial["state"] != "interrupted"]
    interrupted = [trial for trial in every if trial["state"] == "interrupted"]
    try:
        summary = run.summary
    except RunError:  # a run without a winner has no summary
        summary = {}
    document = {**summary, "run": run.name, "folder": run.folder, "state": run.info["state"]}
    if as_json:
        emit({**document, "trials": trials, "interrupted_trials": interrupted})
        return
    print_pairs(document)
    for title, listed in (("trials", trials), ("interrupted trials", interrupted)):
        if listed or title == "trials":
            rows = [trial | {"started_at": moment(trial["started_at"])} for trial in listed]
            print_table(title, FIELDS, [[row[field] for field in FIELDS] for row in rows])
