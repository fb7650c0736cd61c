"""`modelyard report`: a run's report, written anew."""

from __future__ import annotations

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, RunName, load_settings, split_target

__all__ = ["EXAMPLE", "report"]

EXAMPLE = "modelyard report latest"


def report(
    name: RunName = "latest", overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False
) -> None:
    """Write report.html of a run again, and say where it is."""
    target, rest = split_target(name, overrides)
    settings = load_settings(rest, config_dir)
    from modelyard.registry.runs import open_run
    from modelyard_tuning.report import write_report

    run = open_run(target or "latest", settings.storage.runs)
    document = {"run": run.name, "report": str(write_report(run))}
    if as_json:
        emit(document)
    else:
        print_pairs(document)
