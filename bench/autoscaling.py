"""Draws what the autoscaler does under a load that rises fourfold, from what its test on a cluster saw.

    CLUSTER_RECORDS=FOLDER make test-cluster ARGS="-k test_p99_comes_back"
    python bench/autoscaling.py FOLDER docs/autoscaling.svg

Three panels over time: the load and the pods that are ready, the p99 of each five seconds, and the requests refused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

WIDTH, PANEL, GAP, LEFT, TOP, RIGHT = 760, 120, 46, 62, 34, 16
ON, OFF, GREY = "#0969da", "#bc4c00", "#6e7781"
Point = tuple[float, float]


class Panel:
    """One diagram over time.

    Args:
        number: Its place, from the top.
        title: What it shows, with the unit.
        seconds: Where its axis ends.
        most: The largest value.
    """

    def __init__(self, number: int, title: str, seconds: float, most: float) -> None:
        self._top = TOP + number * (PANEL + GAP)
        self._seconds, self._most = seconds, most * 1.1
        self.parts = [
            _text(LEFT, self._top - 8, title, anchor="start"),
            f'<rect x="{LEFT}" y="{self._top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}" fill="none" '
            f'stroke="{GREY}" stroke-opacity=".4"/>',
            *(_text(LEFT - 6, self._y(value) + 4, f"{value:g}") for value in (0, most)),
            *(_text(self._x(at), self._top + PANEL + 15, f"{at:g} s", anchor="middle") for at in _ticks(seconds)),
        ]

    def line(self, points: Sequence[Point], colour: str, dashed: bool = False, stepped: bool = False) -> None:
        """Adds a line."""
        places = list(_stepped(points)) if stepped else points
        path = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in places)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')

    def _x(self, seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * seconds / self._seconds

    def _y(self, value: float) -> float:
        return self._top + PANEL * (1 - min(value, self._most) / self._most)


def draw(on: dict[str, Any], off: dict[str, Any]) -> str:
    """Returns the picture of a run with the autoscaler and one without."""
    rise, (low, high) = on["rises_at_s"], on["rates"]
    end = on["windows"][-1]["at"] + 5
    most = max(pods for _, _, pods in on["pods"])
    pods = Panel(0, f"pods ready; dashed: load, {low:g} to {high:g} requests/s at {rise:g} s", end, most)
    pods.line([(0, low / high * most), (rise, low / high * most), (rise, most), (end, most)], GREY, dashed=True)
    worst = max(span["p99_ms"] for run in (on, off) for span in run["windows"])
    p99 = Panel(1, "p99 of five seconds, ms; dashed: the objective", end, worst)
    p99.line([(0, on["objective_ms"]), (end, on["objective_ms"])], GREY, dashed=True)
    most_refused = max(1, *(span["refused"] / 5 for run in (on, off) for span in run["windows"]))
    refused = Panel(2, "refused by status 429, requests/s", end, round(most_refused, 1))
    for run, colour in ((off, OFF), (on, ON)):
        ready = [(at, count) for at, _, count in run["pods"] if at <= end]
        pods.line([(0, ready[0][1]), *ready, (end, ready[-1][1])], colour, stepped=True)
        p99.line([(span["at"] + 2.5, span["p99_ms"]) for span in run["windows"]], colour)
        refused.line([(span["at"] + 2.5, span["refused"] / 5) for span in run["windows"]], colour)
    height = TOP + 3 * (PANEL + GAP)
    legend = (
        _text(WIDTH - RIGHT - 130, 16, "with the autoscaler", colour=ON),
        _text(WIDTH - RIGHT, 16, "without", colour=OFF),
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            'font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            *legend,
            *(part for panel in (pods, p99, refused) for part in panel.parts),
            "</svg>\n",
        ]
    )


def _stepped(points: Sequence[Point]) -> Iterable[Point]:
    for (x, y), (later, _) in pairwise(points):
        yield x, y
        yield later, y
    yield points[-1]


def _ticks(seconds: float) -> range:
    return range(0, int(seconds) + 1, 20)


def _text(x: float, y: float, text: str, anchor: str = "end", colour: str = "#24292f") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, help="folder with autoscaler-on.json and autoscaler-off.json")
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    on, off = (json.loads((arguments.records / f"autoscaler-{name}.json").read_text()) for name in ("on", "off"))
    arguments.picture.write_text(draw(on, off))


if __name__ == "__main__":
    main()
