"""The application: its commands and the options that stand before them."""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard import __version__
from modelyard.cli import (
    attach,
    cancel,
    check,
    deploy,
    drift,
    feedback,
    history,
    image,
    init,
    pack,
    promote,
    report,
    rollback,
    rollout,
    run,
    runs,
    score,
    serve,
    show,
    status,
    tune,
    undeploy,
    verify,
)

__all__ = ["app"]

# Without markup: rich's help costs a third of a second in every call.
app = typer.Typer(
    name="modelyard",
    help="From a table to a tuned, typed prediction service.",
    epilog="\b\nExample:\n  modelyard run data.path=adult.csv data.target=income tuning.time_budget_s=60",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"modelyard {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _before(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, and debug messages.")] = False,
    version: Annotated[  # noqa: ARG001  # its callback does the work
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        return
    from modelyard.utils.common import setup_logging

    setup_logging("DEBUG" if debug else "WARNING")


for module, command in (
    (init, init.init),
    (run, run.run),
    (check, check.check),
    (tune, tune.tune),
    (attach, attach.attach),
    (cancel, cancel.cancel),
    (pack, pack.pack),
    (serve, serve.serve),
    (image, image.image),
    (promote, promote.promote),
    (deploy, deploy.deploy),
    (status, status.status),
    (rollout, rollout.rollout),
    (rollback, rollback.rollback),
    (history, history.history),
    (undeploy, undeploy.undeploy),
    (verify, verify.verify),
    (score, score.score),
    (drift, drift.drift),
    (feedback, feedback.feedback),
    (report, report.report),
    (runs, runs.runs),
    (show, show.show),
):
    app.command(epilog=f"\b\nExample:\n  {module.EXAMPLE}")(command)
