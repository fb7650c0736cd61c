"""The top of the page: what came out, whether it is any good, and what to do next."""

from __future__ import annotations

from html import escape

from modelyard.models.evaluation import HeldOut
from modelyard.models.metrics import METRICS
from modelyard_tuning.report.html import facts, number, table
from modelyard_tuning.report.material import Material

__all__ = ["headline"]


def headline(material: Material) -> str:
    """Returns the page's first part."""
    held_out, name = material.held_out, _name(material)
    states = [trial.last.state for trial in material.trials]
    counts = [
        ("Trials", len(material.ended)),
        ("Finished all folds", states.count("complete")),
        ("Stopped before that", states.count("stopped")),
        ("Failed", states.count("failed")),
        ("Algorithm", material.card.algorithm if material.card else None),
        ("Seconds", material.info.get("spent_s")),
    ]
    if unfinished := states.count("running"):
        counts.insert(1, ("Unfinished, not counted", unfinished))
    if held_out is None or held_out.score is None:
        score = '<p class="missing">The run has no score on held-out rows yet.</p>'
    else:
        score = _score(held_out)
    target = material.contract.target if material.contract else None
    kicker = f"{target.task} · predicts {target.name}" if target else "no contract yet"
    return (
        f'<header class="headline"><p class="kicker">{escape(kicker)}</p><h1>{escape(name)}</h1>'
        f"{score}{facts(counts)}{_next(material)}</header>"
    )


def _name(material: Material) -> str:
    return material.card.model if material.card else material.name


def _score(held_out: HeldOut) -> str:
    """The score beside its baselines: a number, its interval, and a line for each on one common scale."""
    own = held_out.score
    assert own is not None  # the caller looked
    lines = [("this model", own.value, own.low, own.high)]
    lines += [(one.name, one.score.value, one.score.low, one.score.high) for one in held_out.baselines]
    body = table(
        "The score beside simple models on the same rows",
        ("model", held_out.metric, "95 % interval"),
        [(name, value, _range(low, high)) for name, value, low, high in lines],
        marked=0,
    )
    return (
        f'<div class="score"><p class="big"><span>{number(own.value)}</span> {escape(held_out.metric)} '
        f'on {held_out.rows:,} held-out rows</p>{body}<p class="says">{escape(_verdict(held_out))}</p></div>'
    )


def _range(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{number(low)} to {number(high)}"


def _verdict(held_out: HeldOut) -> str:
    """Whether the model beats the strongest baseline by more than chance, in one sentence."""
    if not held_out.baselines:
        return "There is no baseline to compare it with."
    last = held_out.baselines[-1]
    difference = last.difference
    if difference.low is None or difference.high is None:
        return f"The rows do not allow an interval for the difference to the {last.name} baseline."
    amount = f"{difference.value:+.4g} ({difference.low:+.4g} to {difference.high:+.4g})"
    if difference.low <= 0 <= difference.high:
        return f"Its difference to the {last.name} baseline, {amount}, may be chance: weigh the simpler model."
    better = (difference.value > 0) == METRICS[held_out.metric].greater_is_better
    return f"It is {'better' if better else 'worse'} than the {last.name} baseline by more than chance: {amount}."


def _next(material: Material) -> str:
    run = material.name
    if material.held_out is None:
        steps = [f"modelyard show {run}", f"modelyard tune --resume {run}"]
    else:
        steps = [f"modelyard pack {run}", f"modelyard serve {run}", f"modelyard verify {run}"]
    commands = "".join(f"<li><code>{escape(step)}</code></li>" for step in steps)
    return f'<nav class="next" aria-label="What to do next"><h2>Next</h2><ol>{commands}</ol></nav>'
