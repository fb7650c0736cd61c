"""Pieces of the page: escaped, labelled, and usable without a mouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

__all__ = ["card", "facts", "missing", "number", "parameter", "plot", "section", "table"]


# characters past which a text gets room on a narrow screen, instead of a tower of words
LONG = 40


def number(value: Any) -> str:
    """Writes a number with about four figures, anything else as it is; an en dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.4g}".rstrip(".") if abs(value) >= 0.001 else f"{value:.3g}"


def parameter(value: Any) -> str:
    """Writes a parameter's value, without the noughts that a column of numbers needs."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def section(anchor: str, title: str, *parts: str) -> str:
    """Returns a part of the page with a heading."""
    heading = f'<h2 id="{anchor}-title">{escape(title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-title">{heading}{"".join(parts)}</section>'


def card(title: str, says: str, body: str, *, wide: bool = False) -> str:
    """Returns a box with a heading and a sentence that says what it shows."""
    kind = "card wide" if wide else "card"
    return f'<div class="{kind}"><h3>{escape(title)}</h3><p class="says">{escape(says)}</p>{body}</div>'


def missing(title: str, reason: str, *, wide: bool = False) -> str:
    """Returns a box that says why something cannot be shown."""
    kind = "card wide" if wide else "card"
    return f'<div class="{kind}"><h3>{escape(title)}</h3><p class="missing">{escape(reason)}</p></div>'


def plot(
    anchor: str,
    title: str,
    says: str,
    figure: go.Figure,
    *,
    height: int = 340,
    wide: bool = False,
    paper: bool = False,
) -> str:
    """Returns a box with a plot; the page's script draws what stands beside it as JSON.

    Args:
        anchor: Its id, unique on the page.
        title: Heading.
        says: One sentence on what it shows.
        figure: The plot.
        height: In pixels.
        wide: Whether it takes the page's width.
        paper: Whether it stays dark on white, and scrolls by itself on narrow screens.
    """
    # "</" would end the script element
    document = figure.to_json().replace("</", "<\\/")
    label = escape(f"{title}. {says}")
    body = f'<div class="plot" id="{anchor}" role="img" aria-label="{label}" style="height:{height}px"></div>'
    if paper:
        body = f'<div class="scroll paper" tabindex="0" role="region" aria-label="{escape(title)}">{body}</div>'
    body += f'<script type="application/json" data-for="{anchor}">{document}</script>'
    return card(title, says, body, wide=wide)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Any]], *, marked: int | None = None) -> str:
    """Returns a table whose first column names the row; it scrolls by itself where it is too wide.

    Args:
        caption: What it shows.
        head: Names of the columns.
        rows: Values; numbers keep their figures in line.
        marked: Number of a row to point out.
    """
    lines = []
    for place, row in enumerate(rows):
        name, *values = row
        cells = "".join(f'<td class="{_cell(value)}">{escape(number(value))}</td>' for value in values)
        current = ' aria-current="true"' if place == marked else ""
        lines.append(f'<tr{current}><th scope="row">{escape(number(name))}</th>{cells}</tr>')
    columns = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    """Returns names and values, as a list of terms."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(number(value))}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{items}</dl>'


def _cell(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return "long" if len(str(value)) > LONG else "text"
