from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelyard.monitoring.dashboards import dashboards, render

CHARTS = Path(__file__).parents[3] / "charts"


@pytest.mark.parametrize("chart", dashboards())
def test_the_chart_has_the_dashboards(chart: str) -> None:
    folder = CHARTS / chart / "files" / "dashboards"
    assert {file.stem: file.read_text() for file in folder.glob("*.json")} == render(chart)


@pytest.mark.parametrize("chart", dashboards())
def test_every_panel_asks_the_chosen_prometheus_for_one_release(chart: str) -> None:
    for text in render(chart).values():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", []):
                assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
                assert 'namespace="$namespace", release="$release"' in target["expr"]


def test_releases_are_offered_by_what_all_of_a_chart_expose() -> None:
    for chart, series in (
        ("modelyard-serving", "modelyard_model_info"),
        ("modelyard-training", "modelyard_search_info"),
    ):
        for text in render(chart).values():
            offered = {it["name"]: it.get("query") for it in json.loads(text)["templating"]["list"]}
            assert series in offered["namespace"]
            assert series in offered["release"]
