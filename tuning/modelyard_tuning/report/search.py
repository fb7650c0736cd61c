"""The search: how it went, what its parameters did, what speed costs."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import optuna
import plotly.graph_objects as go
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from modelyard.registry.ledger import Record
from modelyard_tuning.report.html import card, missing, parameter, plot, section, table
from modelyard_tuning.report.material import ENOUGH, Material
from modelyard_tuning.report.plots import ACCENT, MUTED, PALETTE, WARM, styled

__all__ = ["search_section", "study_of"]

WIDEST_LINEAR = 50.0
MOST_PARAMS = 7


def search_section(material: Material) -> str:
    """Returns the part of the page on the search."""
    parts = [_history(material), _latency(material)]
    algorithm = _shown_algorithm(material)
    if algorithm is not None:
        parts += [_importances(material, algorithm), _algorithms(material), _parallel(material, algorithm)]
    grid = f'<div class="grid">{"".join(parts)}</div>'
    return section("search", "Search", grid, _best_trials(material), _failures(material))


def study_of(records: list[Record], maximize: bool) -> optuna.Study:
    """Rebuilds a study from scored records of one rung.

    Args:
        records: What to compare; parameters that never change are left out.
        maximize: Direction of the score.
    """
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize" if maximize else "minimize")
    finally:
        optuna.logging.set_verbosity(verbosity)
    shared = set.intersection(*(set(record.params) for record in records)) if records else set()
    found = {name: _distribution([record.params[name] for record in records]) for name in sorted(shared)}
    distributions = {name: distribution for name, distribution in found.items() if not distribution.single()}
    for record in records:
        params = {name: record.params[name] for name in distributions}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=record.score))
    return study


def _distribution(values: list[Any]) -> BaseDistribution:
    """What values look like: the ledger keeps values, and a trainer's space may have changed since."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return CategoricalDistribution(sorted(set(values), key=str))
    low, high = min(values), max(values)
    log = low > 0 and high / low > WIDEST_LINEAR
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _shown_algorithm(material: Material) -> str | None:
    """The winner's, or the one with most scored trials."""
    if material.card is not None:
        return material.card.algorithm
    counted = Counter(trial.last.algorithm for trial in material.trials if trial.last.score is not None)
    return counted.most_common(1)[0][0] if counted else None


def _history(material: Material) -> str:
    title = "Search history"
    complete = material.at(material.last_rung)
    if not complete:
        return missing(title, "No trial has finished all folds yet; there is no history to draw.")
    study = study_of(complete, material.metric.greater_is_better)
    figure = optuna.visualization.plot_optimization_history(study, target_name=material.metric.name)
    # the rebuilt study numbers its trials anew: the run's own numbers go back in
    numbers = [record.trial for record in complete]
    for trace in figure.data:
        trace.x = [numbers[place] for place in trace.x] if trace.x is not None else trace.x
    points, best = figure.data[0], figure.data[1]
    points.update(name="all folds", marker={"color": ACCENT, "size": 8})
    best.update(name="best so far", line={"color": WARM, "width": 2, "shape": "hv"})
    stopped = [
        trial.last for trial in material.trials if trial.last.state != "complete" and trial.last.score is not None
    ]
    ended = go.Scatter(
        x=[record.trial for record in stopped],
        y=[record.score for record in stopped],
        mode="markers",
        name="fewer folds",
        marker={"color": MUTED, "size": 6, "symbol": "x-thin", "line": {"color": MUTED, "width": 1.5}},
    )
    figure = go.Figure([ended, points, best])
    says = (
        f"Each point is a trial with its {material.metric.name}; the line is the best one of all rows and all folds. "
        "Trials that ended before that were scored on less, so compare them with each other only."
    )
    styled(figure, xaxis_title="trial", yaxis_title=material.metric.name)
    return plot("plot-history", title, says, figure)


def _latency(material: Material) -> str:
    title = "Score against latency"
    shown = [record for record in material.at(material.last_rung) if record.cost_us is not None]
    if len(shown) < 2:
        return missing(title, "Fewer than two trials finished all folds; there is nothing to weigh up.")
    figure = go.Figure()
    for place, algorithm in enumerate(sorted({record.algorithm for record in shown})):
        own = [record for record in shown if record.algorithm == algorithm]
        figure.add_scatter(
            x=[record.cost_us for record in own],
            y=[record.score for record in own],
            mode="markers",
            name=algorithm,
            marker={"size": 9, "color": PALETTE[place % len(PALETTE)]},
            text=[f"trial {record.trial}" for record in own],
            hovertemplate="%{text}: %{y:.4g} at %{x:.3g} µs<extra></extra>",
        )
    winner = material.winner
    if winner is not None and winner.cost_us is not None:
        figure.add_scatter(
            x=[winner.cost_us],
            y=[winner.score],
            mode="markers",
            name="winner",
            marker={"size": 17, "symbol": "circle-open", "color": WARM, "line": {"width": 2.5}},
            hoverinfo="skip",
        )
    says = "Estimated time of one prediction beside the score over all folds; the best corner is " + (
        "top left." if material.metric.greater_is_better else "bottom left."
    )
    styled(
        figure,
        xaxis={"title": "µs a prediction (estimated)", "type": "log", "dtick": "D2"},
        yaxis_title=material.metric.name,
    )
    return plot("plot-latency", title, says, figure)


def _importances(material: Material, algorithm: str) -> str:
    title = f"Parameter importances of {algorithm}"
    rung, records = material.comparable(algorithm)
    study = study_of(records, material.metric.greater_is_better)
    problem = _too_little(study, algorithm)
    if problem:
        return missing(title, problem)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    figure = optuna.visualization.plot_param_importances(study, evaluator)
    bar = figure.data[0]
    bar.update(marker_color=ACCENT)
    says = (
        "How much of the differences between scores each parameter explains (fANOVA), "
        f"over {len(records)} trials on {material.rung_text(rung)}."
    )
    room = {"title": "share", "range": [0, 1.15 * max(bar.x)]}  # for the figure behind the longest bar
    layout = {"xaxis": room, "yaxis_title": None, "showlegend": False}
    return plot("plot-params", title, says, styled(figure, **layout))


def _algorithms(material: Material) -> str:
    choose = max if material.metric.greater_is_better else min
    rows = []
    for algorithm, trials in Counter(trial.last.algorithm for trial in material.ended).most_common():
        own = [trial.last for trial in material.ended if trial.last.algorithm == algorithm]
        scores = [last.score for last in own if last.state == "complete" and last.score is not None]
        failed = sum(last.state == "failed" for last in own)
        rows.append((algorithm, trials, len(scores), failed, choose(scores, default=None)))
    head = ("algorithm", "trials", "all folds", "failed", f"best {material.metric.name}")
    body = table("Trials by algorithm", head, rows)
    return card("Algorithms", "How the trials were shared out, and how far each algorithm got over all folds.", body)


def _parallel(material: Material, algorithm: str) -> str:
    title = f"Parallel coordinates of {algorithm}"
    rung, records = material.comparable(algorithm)
    study = study_of(records, material.metric.greater_is_better)
    problem = _too_little(study, algorithm)
    if problem:
        return missing(title, problem, wide=True)
    names = list(study.trials[0].params)
    if len(names) > MOST_PARAMS:
        importances = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
        names = list(importances)[:MOST_PARAMS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        figure = optuna.visualization.plot_parallel_coordinate(study, names, target_name=material.metric.name)
    says = (
        f"Each line is a trial of {algorithm} on {material.rung_text(rung)}, from its score to its parameters; "
        "darker lines score better."
    )
    styled(figure, margin={"l": 40, "r": 40, "t": 30, "b": 50}, font_color="#1c2430")
    return plot("plot-parallel", title, says, figure, wide=True, paper=True)


def _too_little(study: optuna.Study, algorithm: str) -> str:
    if len(study.trials) < ENOUGH:
        return (
            f"{ENOUGH} comparable trials of {algorithm} are needed to say what a parameter does, and there "
            f"{'is' if len(study.trials) == 1 else 'are'} {len(study.trials)}; a longer search gives more."
        )
    if not study.trials[0].params:
        return f"The trials of {algorithm} have no parameter that differs."
    if len({trial.value for trial in study.trials}) < 2:
        return f"The trials of {algorithm} all score the same."
    return ""


def _best_trials(material: Material) -> str:
    greater = material.metric.greater_is_better
    complete = [trial for trial in material.trials if trial.last.state == "complete" and trial.last.score is not None]
    best = sorted(complete, key=lambda trial: trial.last.score or 0.0, reverse=greater)[:10]
    if not best:
        return ""
    winner = material.winner
    marked = next((place for place, trial in enumerate(best) if trial.last is winner), None)
    rows = [
        (
            f"{trial.number}",
            trial.last.algorithm,
            trial.last.score,
            trial.last.cost_us,
            trial.seconds,
            ", ".join(f"{name}={parameter(value)}" for name, value in trial.last.params.items()),
        )
        for trial in best
    ]
    head = ("trial", "algorithm", material.metric.name, "µs a prediction", "seconds", "parameters")
    body = table("The best trials over all folds; the winner is marked", head, rows, marked=marked)
    says = "Winners come from these: all rows, all folds. Latency is a limit, so the best score need not win."
    return card("Best trials", says, body, wide=True)


def _failures(material: Material) -> str:
    failed = [trial.last for trial in material.trials if trial.last.state == "failed"]
    if not failed:
        return ""
    counted = Counter((record.algorithm, record.error or "no reason was kept") for record in failed)
    rows = [(algorithm, count, error) for (algorithm, error), count in counted.most_common(10)]
    body = table("Failed trials by reason", ("algorithm", "trials", "reason"), rows)
    return card("Failed trials", f"{len(failed)} of {len(material.ended)} trials failed.", body, wide=True)
