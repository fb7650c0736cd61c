"""`modelyard check`: is the table fit to learn from?"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import typer

from modelyard.cli.console import emit, figure, people, print_table
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, table_path

if TYPE_CHECKING:
    from modelyard.data.contract import Column, Contract

__all__ = ["EXAMPLE", "check"]

EXAMPLE = "modelyard check data.path=adult.csv data.target=income 'data.na_values=[\"?\"]'"


def check(overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False) -> None:
    """Read the table, infer its contract and report on its quality.

    Ends with 1 where the table has a fault that no model can learn past.
    """
    settings = load_settings(overrides, config_dir)
    path = table_path(settings)
    from modelyard.data.inference import infer_contract
    from modelyard.data.loading import load_data
    from modelyard.data.validation import validate_data_quality

    frame = load_data(path, settings.data)
    contract = infer_contract(frame, settings.data)
    report = validate_data_quality(frame, contract, settings.data, folds=settings.ml.folds)
    if as_json:
        document = {"data": path, "rows": len(frame), "ok": report.ok, "contract": contract.model_dump(mode="json")}
        emit(document | report.model_dump(mode="json"))
    else:
        _print_contract(contract, path, len(frame))
        people().print(report.table())
    if not report.ok:
        raise typer.Exit(1)


def _print_contract(contract: Contract, path: str, rows: int) -> None:
    target = contract.target
    classes = f", {' < '.join(map(str, target.classes))}" if target.task == "binary" else ""
    title = f"{path}: {rows:,} rows, target {target.name} ({target.task}{classes})"
    columns = [
        (column.name, column.kind, "yes" if column.nullable else "no", _values(column)) for column in contract.columns
    ]
    aside = [(name, "set aside", "", reason) for name, reason in contract.set_aside.items()]
    print_table(title, ("column", "kind", "nulls", "values"), [*columns, *aside])


def _values(column: Column) -> str:
    if column.vocabulary:
        more = f" and {len(column.vocabulary) - 4} more" if len(column.vocabulary) > 4 else ""
        return ", ".join(column.vocabulary[:4]) + more
    if column.minimum is None or column.maximum is None:
        return ""
    if column.kind == "datetime":
        first, last = (dt.datetime.fromtimestamp(edge, dt.UTC) for edge in (column.minimum, column.maximum))
        return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    return f"{figure(column.minimum)} to {figure(column.maximum)}"
