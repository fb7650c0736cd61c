from __future__ import annotations

import json
from pathlib import Path

from modelyard.monitoring.dashboards import render

CHART = Path(__file__).parents[3] / "charts" / "modelyard-serving" / "files" / "dashboards"


def test_the_chart_has_the_dashboards() -> None:
    assert {file.stem: file.read_text() for file in CHART.glob("*.json")} == render()


def test_every_panel_asks_the_chosen_prometheus_for_one_release() -> None:
    for text in render().values():
        for panel in json.loads(text)["panels"]:
            for target in panel.get("targets", []):
                assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
                assert 'namespace="$namespace", release="$release"' in target["expr"]
