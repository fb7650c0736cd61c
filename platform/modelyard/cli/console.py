"""What a command prints: one object for machines, tables and lines for people."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["emit", "figure", "moment", "people", "print_bars", "print_pairs", "print_table", "reserved_stdout"]

BAR = 30
WIDTH = 160  # of what goes into a file or a pipe, where nothing needs to be folded
_reserved: int | None = None  # descriptor of the real standard output


@contextmanager
def reserved_stdout() -> Iterator[None]:
    """Keeps standard output for `emit`.

    Whatever else is written to it, by a library's native code or by a child process too, goes to standard error.
    """
    global _reserved  # a process has one standard output
    sys.stdout.flush()
    _reserved = descriptor = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        _reserved = None
        sys.stdout.flush()
        os.dup2(descriptor, 1)
        os.close(descriptor)


def emit(document: Mapping[str, Any]) -> None:
    """Writes one JSON object, on one line, to standard output; figures that JSON has no word for become null."""
    line = (json.dumps(_plain(document), ensure_ascii=False, default=str) + "\n").encode()
    sys.stdout.flush()
    while line:
        line = line[os.write(1 if _reserved is None else _reserved, line) :]


def people() -> Console:
    """Returns the console of standard output."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=not terminal, width=None if terminal else WIDTH)


def figure(value: Any) -> str:
    """Writes a value as short as a person needs it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def moment(timestamp: str | None) -> str | None:
    """Writes an ISO 8601 time to the minute."""
    return timestamp[:16].replace("T", " ") if timestamp else None


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table; numbers stand on the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for position, heading in enumerate(headings):
        numbers = all(isinstance(row[position], int | float | None) for row in rows)
        justify: Literal["left", "right"] = "right" if numbers and rows else "left"
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*(Text(figure(cell)) for cell in row))
    people().print(table)


def print_bars(title: str, bars: Sequence[tuple[str, Mapping[str, float]]]) -> None:
    """Prints shares as bars, one row a name and one bar a series; all have the same scale."""
    longest = max((share for _, shares in bars for share in shares.values()), default=0.0) or 1.0
    rows = [
        [name, *(f"{'█' * round(BAR * share / longest):<{BAR}} {share:6.1%}" for share in shares.values())]
        for name, shares in bars
    ]
    print_table(title, ["", *bars[0][1]], rows)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Prints names and values in two columns; what has parts of its own is left to `--json`."""
    pairs = {name: value for name, value in pairs.items() if not isinstance(value, Mapping | list | tuple)}
    console, width = people(), max(map(len, pairs))
    for name, value in pairs.items():
        # a folded path could not be copied
        console.print(f"{name:<{width}}  {figure(value)}", markup=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
