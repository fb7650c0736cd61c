"""The report of a run: one self-contained HTML file."""

from __future__ import annotations

from modelyard_tuning.report.page import write_report

__all__ = ["write_report"]
