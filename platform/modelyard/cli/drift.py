"""`modelyard drift`: how far rows have moved from those of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from modelyard.cli.console import emit, figure, print_bars, print_table
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings
from modelyard.cli.releases import Namespace
from modelyard.cli.targets import model_folder, reading_of
from modelyard.errors import UsageError, nearest

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.monitoring.drift import ColumnDrift, Level
    from modelyard.monitoring.observed import Observed

__all__ = ["EXAMPLE", "drift"]

EXAMPLE = "modelyard drift latest this_week.csv --column age"
MAX_NAMES = 10
HEADINGS = ("column", "rows", "index", "95 % interval", "level", "missing", "unseen")


def drift(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A run's name or a model's folder.", show_default=False),
    ] = None,
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="Table with the columns of the model's contract, or the folder of a log of predictions.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    prometheus: Annotated[
        str | None,
        typer.Option("--prometheus", metavar="URL", help="Compare what a release predicted, in place of a table."),
    ] = None,
    release: Annotated[str | None, typer.Option("--release", metavar="NAME", help="Whose, with --prometheus.")] = None,
    namespace: Namespace = None,
    window: Annotated[
        str, typer.Option("--window", metavar="TIME", help="How far back, with --prometheus, such as 6h.")
    ] = "1d",
    column: Annotated[
        str | None, typer.Option("--column", metavar="NAME", help="Draw one column's bins beside training's.")
    ] = None,
    fail_on: Annotated[
        Literal["moved", "drifted"] | None,
        typer.Option("--fail-on", help="Exit with code 1 where a column is at this level or beyond."),
    ] = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare the rows of a table, or those that a release predicted, with those of training.

    The population stability index of a column is stable below 0.1, and tells of another population beyond 0.25. Few
    rows reach 0.1 by chance; with these a column has no level.
    """
    if prometheus is not None:
        if release is None:
            raise UsageError("--prometheus needs --release NAME, and --namespace where that is not the current one's")
        # nothing but settings can stand before the options then
        given = [each for each in (model, table, *(overrides or ())) if each is not None]
        found = _recorded(prometheus, release, namespace, window, load_settings(given, config_dir))
    elif model is None or table is None:
        raise UsageError("name a model and a table, or --prometheus URL and --release NAME")
    else:
        found = _of_table(model, table, load_settings(overrides, config_dir))
    from modelyard.monitoring.drift import measure_drift

    measured = {digest: measure_drift(cells) for digest, cells in found.items()}
    if as_json:
        contracts = [{"digest": digest, "columns": list(map(_document, one))} for digest, one in measured.items()]
        emit({"contracts": contracts})
    else:
        _print(measured, column)
    if fail_on is not None:
        _fail([one for columns in measured.values() for one in columns], fail_on)


def _of_table(model: str, table: str, settings: Settings) -> dict[str, Observed]:
    from modelyard.data.loading import load_data
    from modelyard.models.artifact import load_model, read_card
    from modelyard.monitoring.observed import logged_cells, table_cells

    folder = model_folder(model, settings)
    loaded = load_model(folder, allow_pickle=settings.model.serve_original)
    contract, predicted = loaded.contract, read_card(folder).predicted
    frame = load_data(table, reading_of(model, settings))
    cells = logged_cells(contract, predicted, frame)
    if cells is None:
        matrix = loaded.encode(frame)
        scores = loaded.scorer(matrix)
        predictions: Any = loaded.codes(scores) if contract.target.classes else scores
        cells = table_cells(contract, predicted, matrix, predictions)
    return {contract.digest: cells}


def _recorded(url: str, release: str, namespace: str | None, window: str, settings: Settings) -> dict[str, Observed]:
    from modelyard.monitoring.observed import recorded_cells

    where = namespace or settings.cluster.namespace or "default"
    found = recorded_cells(url, where, release, window)
    if not found:
        raise UsageError(
            f"Prometheus at {url} has no rows of release {release!r} in namespace {where!r}; it needs the labels "
            "namespace and release, as the chart's ServiceMonitor sets them, and serving.drift on"
        )
    return found


def _print(measured: Mapping[str, list[ColumnDrift]], column: str | None) -> None:
    for digest, columns in measured.items():
        print_table(f"contract {digest[:12]}", HEADINGS, map(_row, columns))
        if column is not None:
            _draw(columns, column)


def _fail(columns: list[ColumnDrift], level: Level) -> None:
    from modelyard.monitoring.drift import reaching

    found = reaching(columns, level)
    if found:
        names = ", ".join(repr(one.column) for one in found[:MAX_NAMES])
        more = f" and {len(found) - MAX_NAMES} more" if len(found) > MAX_NAMES else ""
        typer.echo(f"{len(found)} of {len(columns)} columns have {level} or more: {names}{more}", err=True)
        raise typer.Exit(1)


def _row(one: ColumnDrift) -> list[Any]:
    interval = " to ".join(map(figure, one.interval)) if one.interval else None
    level = one.level or f"not enough rows, at least {one.least_rows}"
    return [one.column, round(one.rows), one.index, interval, level, one.missing, one.unseen]


def _document(one: ColumnDrift) -> dict[str, Any]:
    return {
        "column": one.column,
        "rows": round(one.rows),
        "index": one.index,
        "interval": one.interval,
        "level": one.level,
        "least_rows": one.least_rows,
        "missing": one.missing,
        "unseen": one.unseen,
        "cells": [asdict(cell) for cell in one.cells],
    }


def _draw(columns: list[ColumnDrift], name: str) -> None:
    chosen = next((one for one in columns if one.column == name), None)
    if chosen is None:
        raise UsageError(f"there is no column {name!r}; {nearest(name, [one.column for one in columns])}")
    total = max(chosen.rows, 1)
    bars = [(cell.bin, {"training": cell.expected, "now": cell.rows / total}) for cell in chosen.cells]
    print_bars(f"column {name}", bars)
