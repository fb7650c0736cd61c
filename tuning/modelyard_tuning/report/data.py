"""The data: what was found in the table, and what the contract makes of it."""

from __future__ import annotations

import datetime as dt

from modelyard.data.contract import Column
from modelyard_tuning.report.html import card, missing, number, section, table
from modelyard_tuning.report.material import Material

__all__ = ["data_section"]

MOST_NAMED = 5


def data_section(material: Material) -> str:
    """Returns the part of the page on the table."""
    return section("data", "Data", _quality(material), _contract(material), _set_aside(material))


def _quality(material: Material) -> str:
    title, quality = "Data quality", material.quality
    if quality is None:
        return missing(title, "The table was not checked in this run.")
    says = f"What a look at {quality.rows:,} rows and {quality.columns} columns found, the most severe first."
    if not quality.findings:
        return card(title, says, "<p>Nothing to report.</p>", wide=True)
    rows = [(finding.severity, finding.column or "the table", finding.message) for finding in quality.findings]
    return card(title, says, table("Findings", ("severity", "column", "finding"), rows), wide=True)


def _contract(material: Material) -> str:
    title, contract = "Contract", material.contract
    if contract is None:
        return missing(title, "The run ended before its contract was made.")
    target = contract.target
    predicted = (
        " or ".join(map(str, target.classes[:MOST_NAMED])) or f"{number(target.minimum)} to {number(target.maximum)}"
    )
    says = (
        f"What a row must be for the service: {len(contract.columns)} columns; "
        f"{target.name} is predicted ({target.task}: {predicted})."
    )
    rows = [
        (column.name, column.kind, "yes" if column.nullable else "no", _values(column)) for column in contract.columns
    ]
    return card(title, says, table("Input columns", ("column", "kind", "nulls", "values"), rows), wide=True)


def _set_aside(material: Material) -> str:
    if material.contract is None or not material.contract.set_aside:
        return ""
    body = table("Columns set aside", ("column", "reason"), material.contract.set_aside.items())
    return card("Set aside", "Columns that the model does not see, and why.", body, wide=True)


def _values(column: Column) -> str:
    if column.kind == "categorical":
        more = len(column.vocabulary) - MOST_NAMED
        return ", ".join(column.vocabulary[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    if column.minimum is None or column.maximum is None:
        return "true, false" if column.kind == "boolean" else "–"
    if column.kind == "datetime":
        ends = (dt.datetime.fromtimestamp(end, dt.UTC) for end in (column.minimum, column.maximum))
        return " to ".join(end.isoformat(sep=" ", timespec="seconds") for end in ends)
    return f"{number(column.minimum)} to {number(column.maximum)}"
