"""The look that all plots share; colours of text and grid are the page's, light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

__all__ = ["ACCENT", "MUTED", "PALETTE", "WARM", "bars", "styled"]

ACCENT, WARM, MUTED = "#4a86d8", "#e08a3c", "#8a94a3"
PALETTE = (ACCENT, WARM, "#3aa394", "#b76bc2", "#c7a52b", "#d65f6b", "#6f7bd9", "#7d9b4e", "#4fb0cf", "#a5765a")


def styled(figure: go.Figure, **layout: Any) -> go.Figure:
    """Gives a figure the page's look: no title of its own, no background, small margins."""
    figure.update_layout(
        template="none",
        title=None,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        colorway=PALETTE,
        margin={"l": 8, "r": 12, "t": 12, "b": 8},
        font={"family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "xanchor": "left"},
        hovermode="closest",
    )
    figure.update_layout(**layout)
    # last, because a title given as text would drop its distance
    figure.update_xaxes(automargin=True, zeroline=False, title_standoff=8)
    return figure.update_yaxes(automargin=True, zeroline=False, title_standoff=12)


def bars(names: Sequence[str], values: Sequence[float], title: str, spread: Sequence[float] | None = None) -> go.Figure:
    """Returns horizontal bars, the first name on top, long names shortened."""
    error = None if spread is None else {"type": "data", "array": list(spread), "color": MUTED, "thickness": 1.2}
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=[_short(name) for name in names],
            customdata=list(names),
            orientation="h",
            marker_color=ACCENT,
            error_x=error,
            hovertemplate="%{customdata}: %{x:.4g}<extra></extra>",
        )
    )
    return styled(figure, xaxis_title=title, yaxis={"autorange": "reversed", "type": "category"}, bargap=0.35)


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"
