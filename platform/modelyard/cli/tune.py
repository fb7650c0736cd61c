"""`modelyard tune`: search for the best model of a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.cluster import watch
from modelyard.cli.console import emit
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, table_path
from modelyard.cli.progress import SearchProgress
from modelyard.cli.submit import submit, write_values
from modelyard.cli.summary import print_next, print_outcome
from modelyard.errors import UsageError

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard_tuning.outcome import Outcome

__all__ = ["EXAMPLE", "Resume", "search", "tune"]

EXAMPLE = "modelyard tune data.path=adult.csv data.target=income tuning.time_budget_s=300"
Resume = Annotated[
    str | None, typer.Option("--resume", metavar="RUN", help="Go on with an interrupted run, or with latest.")
]


WORKERS, CPUS = 1, 2


class Place(StrEnum):
    """Where a search runs."""

    here = "here"
    kube = "kube"


On = Annotated[
    Place, typer.Option("--on", help="Search on this machine, or in the cluster of the settings cluster.* (kube).")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=0, help=f"Pods beside the driver's, with --on kube.  [default: {WORKERS}]"),
]
Cpus = Annotated[
    int | None, typer.Option("--cpus", min=1, help=f"Trials at the same time in a pod.  [default: {CPUS}]")
]
Write = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Write the chart's values for a schedule, and start nothing."),
]


def tune(
    overrides: Overrides = None,
    resume: Resume = None,
    on: On = Place.here,
    workers: Workers = None,
    cpus: Cpus = None,
    write: Write = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Search for the best model, and write it and its report into a run.

    Ctrl-C ends the search early; the best model so far is kept. In a cluster it only ends the following.
    """
    settings = load_settings(overrides, config_dir)
    if on is Place.kube:
        size = (WORKERS if workers is None else workers, CPUS if cpus is None else cpus)
        if write:
            write_values(settings, write, *size)
        else:
            watch(submit(settings, resume, *size), settings, as_json)
        return
    if (workers, cpus, write) != (None, None, None):
        raise UsageError("--workers, --cpus and --write are about a cluster; add --on kube")
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
