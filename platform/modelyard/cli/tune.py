"""`modelyard tune`: search for the best model of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.console import emit
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, table_path
from modelyard.cli.progress import SearchProgress
from modelyard.cli.summary import print_next, print_outcome

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard_tuning.outcome import Outcome

__all__ = ["EXAMPLE", "Resume", "search", "tune"]

EXAMPLE = "modelyard tune data.path=adult.csv data.target=income tuning.time_budget_s=300"
Resume = Annotated[
    str | None, typer.Option("--resume", metavar="RUN", help="Go on with an interrupted run, or with latest.")
]


def tune(
    overrides: Overrides = None, resume: Resume = None, config_dir: ConfigDir = None, as_json: AsJson = False
) -> None:
    """Search for the best model, and write it and its report into a run.

    Ctrl-C ends the search early; the best model so far is kept.
    """
    settings = load_settings(overrides, config_dir)
    with SearchProgress() as progress:
        outcome = search(settings, resume, progress)
    if as_json:
        emit(outcome.to_dict())
        return
    print_outcome(outcome)
    print_next((f"modelyard show {outcome.run}", f"modelyard pack {outcome.run}", f"modelyard serve {outcome.run}"))


def search(settings: Settings, resume: str | None, progress: SearchProgress) -> Outcome:
    """Searches, or goes on with a run.

    Raises:
        RunNotFound: There is no run to go on with.
    """
    from modelyard.registry.runs import open_run

    run = open_run(resume, settings.storage.runs) if resume else None
    if run is None:
        table_path(settings)
    progress.stage("starting")  # what follows takes seconds to import
    from modelyard_tuning.job import tune as tune_table

    return tune_table(settings, progress.follow, run)
