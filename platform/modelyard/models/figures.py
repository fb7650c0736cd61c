"""A figure with its interval, and what every report of an evaluation is: a mapping of figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic.dataclasses import dataclass

from modelyard.errors import UsageError

__all__ = ["Figure", "FigureReport", "check_rows"]


@dataclass(frozen=True)
class Figure:
    """A metric's value and its 95 % bootstrap interval.

    Attributes:
        value: On the rows themselves.
        low: The 2.5 % quantile over the resamples; none where no resample allows the metric.
        high: The 97.5 % quantile.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        value = f"{self.value:.4g}"
        return value if self.low is None or self.high is None else f"{value} ({self.low:.4g} to {self.high:.4g})"


class FigureReport(Mapping[str, float]):
    """Reads like a mapping: ``report["roc_auc"]`` is a value, ``report.figures["roc_auc"]`` has its interval."""

    figures: dict[str, Figure]

    def __getitem__(self, name: str) -> float:
        """Returns a figure's value."""
        return self.figures[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self.figures)

    def __len__(self) -> int:
        return len(self.figures)


def check_rows(**lengths: int) -> None:
    """Checks that the arguments of an evaluation have equally many rows.

    Raises:
        UsageError: They have not, or there are no rows.
    """
    (first, rows), *others = lengths.items()
    if not rows:
        raise UsageError(f"{first} has no rows; an evaluation needs at least one")
    for name, length in others:
        if length != rows:
            raise UsageError(f"{first} has {rows} rows and {name} {length}; pass predictions of the same rows")
