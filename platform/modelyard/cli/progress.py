"""Progress of a search on standard error: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from modelyard.cli.console import figure

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from modelyard_tuning.progress import Progress

__all__ = ["SearchProgress"]

LINE_INTERVAL_S = 2.0  # plain lines end up in logs, where more of them only hide the rest
STAGES = {
    "loading": "reading the table",
    "finalists": "refitting, compiling and measuring the best trials",
    "evaluation": "scoring the held-out rows",
    "report": "writing the report",
}


class SearchProgress:
    """Shows the stages of a job, and while it searches its trials, best score and time left.

    Args:
        live: Whether to draw a bar; none: on a terminal.
    """

    def __init__(self, live: bool | None = None) -> None:
        self._live = sys.stderr.isatty() if live is None else live
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._budget: float | None = None
        self._trials: int | None = None
        self._stage = self._line = self._shown = ""
        self._shown_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def follow(self, progress: Progress) -> None:
        """Is told by a search where it stands."""
        if progress.stage != self._stage:
            self._stage = progress.stage
            if progress.stage == "search":
                self.start(progress.left, progress.limit)
            else:
                self.stage(STAGES[progress.stage])
        if progress.stage == "search" and progress.trials:
            self.trial(progress.trials, progress.failed, progress.best, progress.metric, progress.left)

    def start(self, budget_s: float | None, trials: int | None) -> None:
        """Begins the search.

        Args:
            budget_s: Seconds it may take, if limited.
            trials: Most trials, if limited.
        """
        self.finish()
        self._budget, self._trials = budget_s, trials
        limits = [f"{trials} trials" if trials else "", f"{max(budget_s, 0):.0f} s" if budget_s is not None else ""]
        text = "searching, at most " + " or ".join(limit for limit in limits if limit)
        if self._live:
            self._draw(text)
        else:
            self._print(text)

    def trial(self, done: int, failed: int, best_score: float | None, metric: str, seconds_left: float | None) -> None:
        """Counts a finished trial.

        Args:
            done: Finished trials, the failed ones included.
            failed: How many of them failed.
            best_score: Best score so far, if any trial has one.
            metric: Its name.
            seconds_left: Of the budget, if time is limited.
        """
        trials = f"{done}/{self._trials} trials" if self._trials else f"{done} trial{'' if done == 1 else 's'}"
        parts = [
            trials + (f" ({failed} failed)" if failed else ""),
            f"best {metric} {figure(best_score)}" if best_score is not None else "",
            f"{max(seconds_left, 0):.0f} s left" if seconds_left is not None else "",
        ]
        self._line = ", ".join(part for part in parts if part)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=self._line, completed=self._share(done, seconds_left))
        elif time.monotonic() - self._shown_at >= LINE_INTERVAL_S:
            self._print(self._line)
            self._shown_at = time.monotonic()

    def stage(self, text: str) -> None:
        """Says what happens now."""
        self.finish()
        self._print(text)

    def note(self, text: str) -> None:
        """Says something beside the progress."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Ends the bar, or prints the last line where it was held back; may be called at any time, and twice."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        elif self._line and self._line != self._shown:
            self._print(self._line)
        self._line = ""

    def _share(self, done: int, seconds_left: float | None) -> float:
        by_trials = done / self._trials if self._trials else 0.0
        by_time = 1 - seconds_left / self._budget if self._budget and seconds_left is not None else 0.0
        return min(max(by_trials, by_time, 0.0), 1.0)

    def _draw(self, text: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True, force_terminal=True),
            redirect_stdout=False,
            refresh_per_second=4,
        )
        self._task = self._bar.add_task(text, total=1.0)
        self._bar.start()

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
        self._shown = text
