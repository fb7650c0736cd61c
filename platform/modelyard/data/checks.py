"""Single looks at a table, one function each, all vectorised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modelyard.data.contract import Column, Target
from modelyard.data.encoding import numbers
from modelyard.data.quality import Finding

__all__ = ["balance_findings", "cardinality_findings", "duplicate_findings", "missing_findings", "number_findings"]

MUCH_MISSING = 0.3
MANY_DISTINCT = 0.5
RARE_SHARE = 0.05
# Tukey's "far out": three interquartile ranges beyond the quartiles
FAR_OUT = 3.0
EXACT_IN_FLOAT32 = 2**24


def missing_findings(values: pd.Series[Any]) -> Iterator[Finding]:
    """Finds nulls."""
    count = int(values.isna().sum())
    if count:
        share = count / len(values)
        yield Finding(
            severity="warning" if share > MUCH_MISSING else "info",
            kind="missing",
            column=str(values.name),
            message=f"{count:,} of {len(values):,} values ({share:.1%}) are null",
            figures={"count": count, "share": share},
        )


def duplicate_findings(frame: pd.DataFrame) -> Iterator[Finding]:
    """Finds rows that stand in the table more than once."""
    try:
        count = int(frame.duplicated().sum())
    except TypeError:  # lists and mappings cannot be compared
        count = int(frame.astype(str).duplicated().sum())
    if count:
        share = count / len(frame)
        yield Finding(
            severity="warning" if share > RARE_SHARE else "info",
            kind="duplicate_rows",
            message=f"{_some(count, len(frame), 'row', 'repeat')} an earlier one; copies stay in one fold",
            figures={"count": count, "share": share},
        )


def cardinality_findings(column: Column, values: pd.Series[Any], distinct: int) -> Iterator[Finding]:
    """Finds categories so many that most say little."""
    known = int(values.notna().sum())
    left_out = distinct - len(column.vocabulary)
    if left_out > 0 or distinct > MANY_DISTINCT * known:
        rest = f"; the {left_out:,} rarest count as unknown" if left_out > 0 else ""
        yield Finding(
            severity="warning",
            kind="high_cardinality",
            column=column.name,
            message=f"{distinct:,} categories in {known:,} values{rest}",
            figures={"categories": distinct, "left_out": max(left_out, 0), "unknown_share": column.shares[1]},
        )


def number_findings(column: Column, values: pd.Series[Any]) -> Iterator[Finding]:
    """Finds infinite values, whole numbers that float32 rounds, and values far out."""
    found = numbers(values, column.name)
    infinite = int(np.isinf(found).sum())
    if infinite:
        yield Finding(
            severity="warning",
            kind="infinite",
            column=column.name,
            message=f"{infinite:,} values are infinite; they are taken as the largest float32",
            figures={"count": infinite},
        )
    known = found[np.isfinite(found)]
    if column.integer:
        yield from _rounded_integers(column.name, known)
    yield from _far_out(column.name, known)


def _rounded_integers(name: str, known: NDArray[np.float64]) -> Iterator[Finding]:
    with np.errstate(over="ignore"):
        rounded = int((known.astype(np.float32) != known).sum())
    if rounded:
        yield Finding(
            severity="warning",
            kind="large_integers",
            column=name,
            message=f"{rounded:,} whole numbers past {EXACT_IN_FLOAT32:,} lose their last digits in float32; "
            f"if they name something, set data.kinds={{{name}: categorical}} or drop the column",
            figures={"count": rounded, "largest": float(np.abs(known).max())},
        )


def _far_out(name: str, known: NDArray[np.float64]) -> Iterator[Finding]:
    if not len(known):
        return
    lower, upper = np.quantile(known, [0.25, 0.75])
    reach = FAR_OUT * (upper - lower)
    low, high = float(lower - reach), float(upper + reach)
    count = int(((known < low) | (known > high)).sum())
    # most values alike: everything else would be far out
    if count and reach > 0:
        yield Finding(
            severity="info",
            kind="outliers",
            column=name,
            message=f"{_some(count, len(known), 'value', 'lie')} beyond [{low:.6g}, {high:.6g}]",
            figures={"count": count, "low": low, "high": high},
        )


def balance_findings(target: Target, codes: NDArray[np.int64], folds: int) -> Iterator[Finding]:
    """Finds how the classes are spread, and those too rare for the folds."""
    counts = np.bincount(codes, minlength=len(target.classes))
    shares = {
        str(label): float(count / max(len(codes), 1)) for label, count in zip(target.classes, counts, strict=True)
    }
    rarest = min(shares, key=lambda label: shares[label])
    yield Finding(
        severity="warning" if shares[rarest] < RARE_SHARE / len(shares) else "info",
        kind="class_balance",
        column=target.name,
        message=f"{len(shares)} classes; the rarest, {rarest!r}, has {shares[rarest]:.1%} of the rows",
        figures=dict(shares),
    )
    whole_numbers = all(isinstance(label, int) and not isinstance(label, bool) for label in target.classes)
    hint = "; if it is a count, set data.task=regression" if target.task == "multiclass" and whole_numbers else ""
    for label, count in zip(target.classes, counts, strict=True):
        if count < 2 * folds:
            yield Finding(
                # of two classes, one that cannot be both learned and measured leaves nothing to do
                severity="error" if count < 2 and len(shares) == 2 else "warning",
                kind="rare_class",
                column=target.name,
                message=f"class {str(label)!r}: {count} {'row' if count == 1 else 'rows'}, too few for {folds} folds, "
                f"which need 2 each{hint}",
                figures={"class": str(label), "count": int(count)},
            )


def _some(count: int, total: int, noun: str, verb: str) -> str:
    noun, verb = (noun, f"{verb}s") if count == 1 else (f"{noun}s", verb)
    return f"{count:,} {noun} ({count / total:.1%}) {verb}"
