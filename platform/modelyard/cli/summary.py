"""What a finished search came to, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelyard.cli.console import figure, people, print_pairs

if TYPE_CHECKING:
    from modelyard_tuning.outcome import Outcome

__all__ = ["print_next", "print_outcome"]


def print_outcome(outcome: Outcome, further: Mapping[str, Any] | None = None) -> None:
    """Prints the score beside its baselines, and where everything is."""
    interval = ""
    if outcome.interval is not None:
        interval = " (95 % interval {} to {})".format(*map(figure, outcome.interval))
    pairs: dict[str, Any] = {"run": outcome.run, "winner": outcome.algorithm}
    pairs[outcome.metric] = f"{figure(outcome.score)} on held-out rows{interval}"
    pairs |= {f"  {name}": score for name, score in outcome.baselines.items()}
    failed = f", {outcome.failed_trials} failed" if outcome.failed_trials else ""
    trials = "1 trial" if outcome.trials == 1 else f"{outcome.trials} trials"
    pairs["search"] = f"{trials}{failed}, {outcome.seconds:.0f} s"
    pairs |= {f"  {algorithm} failed": error for algorithm, error in outcome.failures.items()}
    if outcome.report:
        pairs["report"] = outcome.report
    people().print()
    print_pairs({**pairs, **(further or {})})


def print_next(commands: Sequence[str]) -> None:
    """Prints what to do next."""
    console = people()
    console.print("\nnext:")
    for command in commands:
        console.print(f"  {command}", markup=False)
