"""The winner on the held-out rows: what it gets right, what it looks at, what more rows would be worth."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from modelyard.models.classification import ClassificationReport
from modelyard.models.evaluation import HeldOut
from modelyard.models.regression import RegressionReport
from modelyard_tuning.report.html import card, missing, plot, section, table
from modelyard_tuning.report.plots import ACCENT, MUTED, WARM, bars, styled

__all__ = ["held_out_section"]

MOST_COLUMNS = 12
MOST_CLASSES = 20
STRAIGHT = {"color": MUTED, "width": 1.2, "dash": "dot"}


def held_out_section(held_out: HeldOut | None) -> str:
    """Returns the part of the page on the held-out rows."""
    title = "The model on held-out rows"
    if held_out is None:
        return section("model", title, missing("No model", "The run has no winner yet, so nothing was evaluated."))
    report = held_out.report
    own = _classification(report) if isinstance(report, ClassificationReport) else _regression(report)
    parts = [_columns(held_out), _learning(held_out), *own, _figures(held_out)]
    if isinstance(report, ClassificationReport) and report.thresholds:
        parts.append(_thresholds(report))
    return section("model", title, f'<div class="grid">{"".join(parts)}</div>')


def _figures(held_out: HeldOut) -> str:
    body = table(
        f"Figures on {held_out.rows:,} held-out rows with 95 % bootstrap intervals",
        ("figure", "value", "from", "to"),
        [(name, figure.value, figure.low, figure.high) for name, figure in held_out.report.figures.items()],
    )
    says = "Neither the search nor the fit has seen these rows; the intervals say how much chance is in the figures."
    return card("All figures", says, body)


def _columns(held_out: HeldOut) -> str:
    title = "What the model looks at"
    shown = held_out.importances[:MOST_COLUMNS]
    if not shown:
        return missing(title, "The importance of the columns was not measured.")
    more = len(held_out.importances) - len(shown)
    says = (
        f"How much {held_out.metric} gets worse when a column is shuffled among the rows, with its spread; "
        "columns that say the same share their importance." + (f" {more} smaller ones are left out." if more else "")
    )
    figure = bars(
        [one.column for one in shown],
        [one.mean for one in shown],
        f"loss of {held_out.metric}",
        [one.spread for one in shown],
    )
    return plot("plot-columns", title, says, figure, height=max(240, 60 + 24 * len(shown)))


def _learning(held_out: HeldOut) -> str:
    title = "Learning curve"
    points = held_out.learning
    if len(points) < 2:
        return missing(title, "The time or the rows did not allow fits on fewer rows.")
    figure = go.Figure()
    rows = [point.rows for point in points]
    bounds = [(point.score.low, point.score.high) for point in points]
    if all(low is not None and high is not None for low, high in bounds):
        figure.add_scatter(
            x=[*rows, *reversed(rows)],
            y=[*(high for _, high in bounds), *(low for low, _ in reversed(bounds))],
            fill="toself",
            fillcolor="rgba(74,134,216,0.18)",
            mode="lines",
            line={"width": 0},
            hoverinfo="skip",
            name="95 % interval",
        )
    values = [point.score.value for point in points]
    figure.add_scatter(
        x=rows, y=values, mode="lines+markers", name="held-out score", line={"color": ACCENT}, marker={"size": 8}
    )
    says = (
        "The winner's configuration fitted again on fewer rows; where the line still moves at its right end, "
        "more rows are likely to help."
    )
    styled(figure, xaxis={"title": "rows of the fit", "rangemode": "tozero"}, yaxis_title=held_out.metric)
    return plot("plot-learning", title, says, figure)


def _classification(report: ClassificationReport) -> list[str]:
    parts = [_roc(report), _precision_recall(report), _calibration(report), _confusion(report)]
    rows = [(one.label, one.precision, one.recall, one.f1, one.rows) for one in report.per_class[:MOST_CLASSES]]
    body = table("Precision and recall by class", ("class", "precision", "recall", "f1", "rows"), rows)
    parts.append(card("By class", "Which classes are found, and how often an answer with a class is right.", body))
    return parts


def _roc(report: ClassificationReport) -> str:
    title = "ROC curve"
    if not report.roc:
        return missing(title, "The held-out rows hold one class only, or the model gives no probabilities.")
    figure = go.Figure()
    for curve in report.roc:
        figure.add_scatter(x=curve.x, y=curve.y, mode="lines", name=curve.name)
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=STRAIGHT, name="chance", hoverinfo="skip")
    axis = {"range": [-0.01, 1.01]}
    says = "What share of a class is found (up) at what share of false alarms (right), over all thresholds."
    styled(figure, xaxis={"title": "false positive rate", **axis}, yaxis={"title": "true positive rate", **axis})
    return plot("plot-roc", title, says, figure)


def _precision_recall(report: ClassificationReport) -> str:
    title = "Precision and recall"
    if not report.precision_recall:
        return missing(title, "The held-out rows hold one class only, or the model gives no probabilities.")
    figure = go.Figure()
    for curve in report.precision_recall:
        figure.add_scatter(x=curve.x, y=curve.y, mode="lines", name=curve.name, showlegend=True)
    says = "How often an answer with a class is right (up) when this share of the class is found (right)."
    styled(figure, xaxis={"title": "recall", "range": [-0.01, 1.01]}, yaxis={"title": "precision", "range": [0, 1.02]})
    return plot("plot-pr", title, says, figure)


def _calibration(report: ClassificationReport) -> str:
    title = "Calibration"
    bins = report.calibration
    if not bins or report.calibration_error is None:
        return missing(title, "The model gives no probabilities.")
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=STRAIGHT, name="perfect", hoverinfo="skip")
    figure.add_scatter(
        x=[part.predicted for part in bins],
        y=[part.observed for part in bins],
        mode="lines+markers",
        name="model",
        line={"color": ACCENT},
        marker={"size": 8},
        text=[f"{part.rows:,} rows" for part in bins],
        hovertemplate="said %{x:.3f}, came true %{y:.3f}, %{text}<extra></extra>",
    )
    of = f"of {report.classes[1]}" if report.threshold is not None else "of the answered class"
    says = (
        f"Whether a probability {of} is as good as its word: bins of equally many rows; "
        f"the expected calibration error is {report.calibration_error:.3f}."
    )
    axis = {"range": [-0.02, 1.02]}
    styled(figure, xaxis={"title": "mean probability", **axis}, yaxis={"title": "share that came true", **axis})
    return plot("plot-calibration", title, says, figure)


def _confusion(report: ClassificationReport) -> str:
    title = "Confusion matrix"
    if len(report.classes) > MOST_CLASSES:
        return missing(title, f"{len(report.classes)} classes are too many to draw; the table by class says more.")
    counts = np.array(report.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [str(label) for label in report.classes]
    figure = go.Figure(
        go.Heatmap(
            z=shares.tolist(),
            x=names,
            y=names,
            text=counts.tolist(),
            texttemplate="%{text}" if len(names) <= 10 else None,
            colorscale=[[0, "rgba(74,134,216,0.06)"], [1, "rgba(74,134,216,0.75)"]],
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="actual %{y}, answered %{x}: %{text} rows (%{z:.1%})<extra></extra>",
        )
    )
    says = (
        "Rows by actual class (down) and answered class (right); the darker, the greater the share of the actual one."
    )
    styled(figure, xaxis={"title": "answered", "type": "category", "showgrid": False})
    figure.update_yaxes(title="actual", type="category", autorange="reversed", showgrid=False)
    return plot("plot-confusion", title, says, figure)


def _thresholds(report: ClassificationReport) -> str:
    rows = [
        (f"{one.threshold:.2f}", one.precision, one.recall, one.f1, one.balanced_accuracy, one.accuracy, one.positives)
        for one in report.thresholds
    ]
    marked = next(place for place, one in enumerate(report.thresholds) if one.threshold == report.threshold)
    head = ("threshold", "precision", "recall", "f1", "balanced accuracy", "accuracy", "answered positive")
    body = table("What other thresholds would answer; the model's own is marked", head, rows, marked=marked)
    says = f"Rows above the threshold are answered {report.classes[1]}: choose it by what a wrong answer costs."
    return card("Thresholds", says, body, wide=True)


def _regression(report: RegressionReport) -> list[str]:
    predicted = [point[0] for point in report.sample]
    residuals = [actual - value for value, actual in report.sample]
    scatter = go.Figure(
        go.Scatter(x=predicted, y=residuals, mode="markers", marker={"color": ACCENT, "size": 6, "opacity": 0.55})
    )
    scatter.add_hline(y=0, line=STRAIGHT)
    against = go.Figure(
        go.Scatter(
            x=predicted,
            y=[actual for _, actual in report.sample],
            mode="markers",
            name="row",
            marker={"color": ACCENT, "size": 6, "opacity": 0.55},
        )
    )
    ends = [min(predicted), max(predicted)]
    against.add_scatter(
        x=ends, y=ends, mode="lines", name="perfect", line={**STRAIGHT, "color": WARM}, hoverinfo="skip"
    )
    quantiles = table(
        "Quantiles of actual minus predicted",
        ("share of rows below", "residual"),
        [(f"{float(share):.0%}", value) for share, value in report.residual_quantiles.items()],
    )
    return [
        plot(
            "plot-residuals",
            "Residuals",
            "Actual minus predicted beside the prediction, for up to 500 rows: a bend or a funnel is something missed.",
            styled(scatter, xaxis_title="predicted", yaxis_title="actual minus predicted", showlegend=False),
        ),
        plot(
            "plot-predicted",
            "Actual against predicted",
            "Points on the line are right; their distance from it is the error.",
            styled(against, xaxis_title="predicted", yaxis_title="actual"),
        ),
        card("Residual quantiles", "How far off the answers are, from the worst below to the worst above.", quantiles),
    ]
