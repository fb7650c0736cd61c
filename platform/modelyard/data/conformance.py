"""Rows held against a contract that they were not inferred for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from modelyard.data.bins import category_counts, count_values
from modelyard.data.contract import Column, Contract
from modelyard.data.encoding import numbers, timestamps
from modelyard.data.quality import Finding
from modelyard.errors import ContractViolation
from modelyard.utils.types import Treatment

__all__ = ["contract_findings"]


def contract_findings(frame: pd.DataFrame, contract: Contract) -> list[Finding]:
    """Returns where rows do not fit a contract.

    A missing column, a value of another kind, and what the contract says to refuse are errors; what it says to accept
    is a warning.
    """
    findings: list[Finding] = []
    for column in contract.columns:
        if column.name not in frame:
            findings.append(_finding("error", column.name, "the contract has this column, the table does not"))
            continue
        try:
            findings.extend(_column_findings(column, frame[column.name]))
        except ContractViolation as violation:
            findings.append(_finding("error", column.name, violation.problems[0]))
    return findings


def _column_findings(column: Column, values: pd.Series[Any]) -> list[Finding]:
    found: list[Finding] = []
    counts = count_values(column, values)
    if counts[0] and not column.nullable:
        found.append(_counted(column, column.on_null, int(counts[0]), len(values), "null, where training had none"))
    if column.kind == "categorical" and counts[1] and not _cut_off(column):
        unknown = next(text for text in category_counts(values) if text not in column.vocabulary)
        what = f"of a category that training did not have, such as {unknown!r}"
        found.append(_counted(column, column.on_unknown, int(counts[1]), len(values), what))
    if column.minimum is not None and column.maximum is not None:
        read = timestamps if column.kind == "datetime" else numbers
        outside = int(np.sum(_outside(read(values, column.name), column.minimum, column.maximum)))
        if outside:
            found.append(_counted(column, column.on_range, outside, len(values), "outside the range of training"))
    return found


def _cut_off(column: Column) -> bool:
    """Whether the vocabulary leaves out rarer categories of training, so that unknown ones are nothing new."""
    return len(column.shares) > 1 and column.shares[1] > 0


def _outside(values: Any, minimum: float, maximum: float) -> Any:
    return (values < minimum) | (values > maximum)


def _counted(column: Column, treatment: Treatment, count: int, rows: int, what: str) -> Finding:
    message = f"{count:,} rows ({count / rows:.1%}) are {what}"
    return _finding("error" if treatment == "refuse" else "warning", column.name, message, count / rows)


def _finding(severity: Any, column: str, message: str, share: float | None = None) -> Finding:
    figures: dict[str, float | int | str] = {} if share is None else {"share": share}
    return Finding(severity=severity, kind="contract_violation", column=column, message=message, figures=figures)
