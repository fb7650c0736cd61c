"""The page: its parts, its style and its script in one file that asks nobody for anything."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from plotly.offline import get_plotlyjs

from modelyard.registry.runs import Run
from modelyard_tuning.report.data import data_section
from modelyard_tuning.report.headline import headline
from modelyard_tuning.report.held_out import held_out_section
from modelyard_tuning.report.lineage import lineage_section
from modelyard_tuning.report.material import gather
from modelyard_tuning.report.search import search_section

__all__ = ["REPORT", "write_report"]

REPORT = "report.html"


def write_report(run: Run) -> str:
    """Writes ``report.html`` into a run's folder, from whatever the run holds by now.

    It reads ``run.json``, ``config.yaml``, the ledger, and where they are there ``contract.json``,
    ``quality.json``, ``evaluation.json`` (a `models.evaluation.HeldOut`), and ``model/card.json``.

    Args:
        run: A run, finished or not.

    Returns:
        The report's path or URL.

    Raises:
        RunError: A file of the run cannot be read.
    """
    material = gather(run)
    parts = (
        headline(material),
        held_out_section(material.held_out),
        search_section(material),
        data_section(material),
        lineage_section(material),
    )
    page = Template(_asset("page.html")).substitute(
        title=escape(f"{material.card.model if material.card else material.name} – modelyard report"),
        style=_asset("page.css"),
        body="".join(parts),
        plotly=get_plotlyjs(),
        script=_asset("page.js"),
    )
    run.storage.write(REPORT, page)
    return f"{run.folder}/{REPORT}"


def _asset(name: str) -> str:
    return files("modelyard_tuning.report").joinpath(name).read_text(encoding="utf-8")
