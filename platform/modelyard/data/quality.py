"""What a look at a table found: typed, for machines and for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from rich.markup import escape
from rich.table import Table

__all__ = ["Finding", "FindingKind", "QualityReport", "Severity"]

Severity = Literal["error", "warning", "info"]
FindingKind = Literal[
    "empty_table",
    "unusable_target",
    "contract_violation",
    "leakage",
    "null_target",
    "rare_class",
    "class_balance",
    "duplicate_rows",
    "missing",
    "set_aside",
    "high_cardinality",
    "large_integers",
    "infinite",
    "outliers",
]
MOST_SHOWN = 8  # findings of one kind that a person reads
STYLE: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "info": "dim"}


class Finding(BaseModel):
    """One thing that a table's user should know.

    Attributes:
        severity: ``error``: nothing can be trained on this; ``warning``: look before you trust a score.
        kind: What was found.
        column: Where, unless it is about the whole table.
        message: One sentence for a person.
        figures: The numbers in it, by name; shares are parts of 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    kind: FindingKind
    column: str | None = None
    message: str
    figures: dict[str, float | int | str] = Field(default_factory=dict)


class QualityReport(BaseModel):
    """Everything that was found, the most severe first.

    Attributes:
        format: Version of this description.
        rows: Number of rows looked at.
        columns: Number of columns, the target included.
        findings: What was found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    rows: int
    columns: int
    findings: tuple[Finding, ...] = ()

    @classmethod
    def ranked(cls, rows: int, columns: int, findings: Iterable[Finding]) -> QualityReport:
        """Returns a report with its findings in order of severity."""
        order = list(STYLE)
        return cls(rows=rows, columns=columns, findings=tuple(sorted(findings, key=lambda f: order.index(f.severity))))

    @property
    def ok(self) -> bool:
        """Whether nothing found forbids training."""
        return not self.of("error")

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Returns the findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity == severity)

    def to_json(self) -> str:
        """Returns the report as indented JSON."""
        return self.model_dump_json(indent=2) + "\n"

    def table(self) -> Table:
        """Returns the report as a table for a terminal; of what is only to know, the first columns of each kind."""
        table = Table(title=f"{self.rows:,} rows, {self.columns} columns", title_justify="left")
        for heading in ("", "column", "finding"):
            table.add_column(heading, overflow="fold")
        for finding in (*self.of("error"), *self.of("warning")):
            _add(table, finding.severity, finding.column, finding.message)
        by_kind: dict[FindingKind, list[Finding]] = {}
        for finding in self.of("info"):
            by_kind.setdefault(finding.kind, []).append(finding)
        for kind, found in by_kind.items():
            for finding in found[:MOST_SHOWN]:
                _add(table, finding.severity, finding.column, finding.message)
            if (more := len(found) - MOST_SHOWN) > 0:
                _add(table, "info", None, f"and {more} more columns ({kind.replace('_', ' ')})")
        if not self.findings:
            table.add_row("", "", "nothing to report")
        return table


def _add(table: Table, severity: Severity, column: str | None, message: str) -> None:
    table.add_row(severity, escape(column or ""), escape(message), style=STYLE[severity])
