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
        """Returns the report as a table for a terminal."""
        table = Table(title=f"{self.rows:,} rows, {self.columns} columns", title_justify="left")
        for heading in ("", "column", "finding"):
            table.add_column(heading, overflow="fold")
        for finding in self.findings:
            cells = (finding.severity, escape(finding.column or ""), escape(finding.message))
            table.add_row(*cells, style=STYLE[finding.severity])
        if not self.findings:
            table.add_row("", "", "nothing to report")
        return table
