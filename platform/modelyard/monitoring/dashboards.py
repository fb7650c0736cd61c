"""Grafana's dashboards of a release, made with Grafana's own builders.

    python -m modelyard.monitoring.dashboards charts

writes them as the charts in that folder ship them. The builders are a dependency of development: what a release needs
is the JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from grafana_foundation_sdk.builders import bargauge, prometheus, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, VizOrientation
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

from modelyard.monitoring.rules import FAILED, PREDICTS
from modelyard.utils.files import write_whole

__all__ = ["dashboards", "render"]

# an expression, and what its series are called
Query = tuple[str, str]

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WHOSE = 'namespace="$namespace", release="$release"'
ASKED = f"modelyard_requests_total{{{WHOSE}, {PREDICTS}}}"
SECONDS = f"modelyard_request_seconds_bucket{{{WHOSE}, {PREDICTS}}}"
# what every release of a chart exposes
SERVED, SEARCHED = "modelyard_model_info", "modelyard_search_info"
WIDE, HALF, HEIGHT = 24, 12, 8


def dashboards() -> Mapping[str, Mapping[str, Dashboard]]:
    """Returns the dashboards of each chart by the names of their files."""
    return {
        "modelyard-serving": {"service": _service(), "drift": _drift(), "capacity": _capacity()},
        "modelyard-training": {"search": _search()},
    }


def render(chart: str) -> dict[str, str]:
    """Returns the JSON of each dashboard of a chart."""
    return {
        name: JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"
        for name, dashboard in dashboards()[chart].items()
    }


def _service() -> Dashboard:
    failed = f"modelyard_requests_total{{{WHOSE}, {PREDICTS}, {FAILED}}}"
    return (
        _dashboard("service", "Service", "Rate, errors, duration and saturation of a release, by version.")
        .with_row(Row("Rate and errors"))
        .with_panel(_lines("Requests by version", "reqps", (f"sum by (version) ({_rate(ASKED)})", "{{version}}")))
        .with_panel(_lines("Requests by code", "reqps", (f"sum by (code) ({_rate(ASKED)})", "{{code}}")))
        .with_panel(
            _lines(
                "Share of failures (5xx and 429) by version",
                "percentunit",
                (
                    f"(sum by (version) ({_rate(failed)}) or 0 * sum by (version) ({_rate(ASKED)}))"
                    f" / sum by (version) ({_rate(ASKED)})",
                    "{{version}}",
                ),
            )
        )
        .with_panel(
            _lines(
                "Values out of the contract",
                "reqps",
                (
                    f"sum by (column, kind) ({_rate(f'modelyard_contract_violations_total{{{WHOSE}}}')})",
                    "{{column}}: {{kind}}",
                ),
            )
        )
        .with_row(Row("Duration"))
        .with_panel(_lines("p50 by version", "s", (_quantile(0.5), "{{version}}")))
        .with_panel(_lines("p99 by version", "s", (_quantile(0.99), "{{version}}")))
        .with_row(Row("Saturation and predictions"))
        .with_panel(
            _lines(
                "Cores in use by pod",
                "none",
                (f"sum by (instance) ({_rate(_own('cpu_seconds_total'))})", "{{instance}}"),
            )
        )
        .with_panel(
            _lines(
                "Predictions by class or by bin",
                "reqps",
                (f"sum by (bin) ({_rate(_drift_rows('(prediction)'))})", "{{bin}}"),
            )
        )
    )


def _drift() -> Dashboard:
    column = 'column="$column"'
    return (
        _dashboard("drift", "Drift", "How far rows and outcomes have moved from training's; needs the chart's rules.")
        .with_variable(
            _variable("column", f"label_values(modelyard_drift_rows_total{{{WHOSE}}}, column)").label("Column")
        )
        .with_row(Row("All columns"))
        .with_panel(
            _lines("Population stability index", "none", (f"modelyard:drift_index{{{WHOSE}}}", "{{column}}")).span(WIDE)
        )
        .with_panel(_lines("Share of nulls", "percentunit", (f"modelyard:missing_share{{{WHOSE}}}", "{{column}}")))
        .with_panel(
            _lines("Share of unknown categories", "percentunit", (f"modelyard:unseen_share{{{WHOSE}}}", "{{column}}"))
        )
        .with_row(Row("$column"))
        .with_panel(_bars("Now", f"modelyard:drift_share{{{WHOSE}, {column}}}"))
        .with_panel(_bars("Training", f"modelyard:drift_expected_share{{{WHOSE}, {column}}}"))
        .with_panel(
            _lines("Rows by bin", "reqps", (f"sum by (bin) ({_rate(_drift_rows('$column'))})", "{{bin}}")).span(WIDE)
        )
        .with_row(Row("Outcomes, where clients tell them"))
        .with_panel(
            _lines(
                "Mean error by version",
                "none",
                (f"modelyard:live_error{{{WHOSE}}}", "live, {{version}}: {{measure}}"),
                (f"modelyard:card_error{{{WHOSE}}}", "card, {{version}}: {{measure}}"),
            )
        )
        .with_panel(
            _lines(
                "Outcomes by predicted and true class",
                "reqps",
                (
                    f"sum by (predicted, actual) ({_rate(_own('feedback_outcomes_total'))})",
                    "{{predicted}} was {{actual}}",
                ),
            )
        )
    )


def _capacity() -> Dashboard:
    cpu, rows = _own("cpu_seconds_total"), _own("rows_total")
    return (
        _dashboard("capacity", "Capacity", "What a release has left, against what was measured when it was packed.")
        .with_panel(
            _lines(
                "Requests for each second of CPU",
                "none",
                (f"sum by (release) ({_rate(ASKED)}) / sum by (release) ({_rate(cpu)})", "now"),
                (f"max by (version) ({_own('capacity_requests_per_cpu_second')})", "measured, {{version}}"),
            )
        )
        .with_panel(
            _lines(
                "Microseconds of CPU for each row",
                "µs",
                (f"1e6 * sum by (release) ({_rate(cpu)}) / sum by (release) ({_rate(rows)})", "now"),
            )
        )
        .with_panel(_lines("Requests by pod", "reqps", (f"sum by (instance) ({_rate(ASKED)})", "{{instance}}")))
        .with_panel(_lines("Cores in use", "none", (f"sum by (release) ({_rate(cpu)})", "all pods")))
        .with_panel(
            _lines(
                "Rows in each request",
                "none",
                (f"sum by (release) ({_rate(rows)}) / sum by (release) ({_rate(ASKED)})", "rows"),
            )
        )
        .with_panel(_lines("Pods that answer", "none", (f"sum by (release) (up{{{WHOSE}}})", "pods")))
        .with_panel(
            _lines(
                "Rows of the prediction log",
                "reqps",
                (f"sum by (outcome) ({_rate(_own('prediction_log_rows_total'))})", "{{outcome}}"),
            ).span(WIDE)
        )
    )


def _search() -> Dashboard:
    def own(name: str, label: str) -> str:
        # one driver at a time, though another pod's may be remembered
        return f"max by ({label}) ({_own(f'search_{name}')})"

    return (
        _dashboard("search", "Search", "Trials, score and time of a search, while its driver runs.", SEARCHED)
        .with_panel(_lines("Trials by state", "none", (own("trials", "state"), "{{state}}")))
        .with_panel(_lines("Best score", "none", (own("best_score", "metric"), "{{metric}}"), least=None))
        .with_panel(_lines("Seconds by algorithm", "s", (own("seconds_total", "algorithm"), "{{algorithm}}")))
        .with_panel(_lines("Time left", "s", (own("budget_left_seconds", "release"), "seconds")))
        .with_panel(_lines("Trials left", "none", (own("budget_left_trials", "release"), "trials")))
    )


def _dashboard(name: str, title: str, description: str, info: str = SERVED) -> Dashboard:
    namespaces = f"label_values({info}, namespace)"
    releases = f'label_values({info}{{namespace="$namespace"}}, release)'
    return (
        Dashboard(f"modelyard: {title}")
        .uid(f"modelyard-{name}")
        .description(description)
        .tags(["modelyard"])
        .readonly()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_variable("namespace", namespaces).label("Namespace"))
        .with_variable(_variable("release", releases).label("Release"))
    )


def _variable(name: str, query: str) -> QueryVariable:
    return QueryVariable(name).datasource(SOURCE).query(query).refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)


def _lines(title: str, unit: str, *queries: Query, least: float | None = 0) -> timeseries.Panel:
    panel = timeseries.Panel().title(title).datasource(SOURCE).unit(unit).span(HALF).height(HEIGHT)
    if least is not None:
        panel.min(least)
    panel.legend(
        VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    )
    for place, (expression, legend) in enumerate(queries):
        panel.with_target(
            prometheus.Dataquery().expr(expression).legend_format(legend).range().ref_id(chr(ord("A") + place))
        )
    return panel


def _bars(title: str, expression: str) -> bargauge.Panel:
    query = prometheus.Dataquery().expr(expression).legend_format("{{bin}}").instant().ref_id("A")
    return (
        bargauge.Panel()
        .title(title)
        .datasource(SOURCE)
        .unit("percentunit")
        .min(0)
        .span(HALF)
        .height(HEIGHT)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(query)
    )


def _own(name: str) -> str:
    return f"modelyard_{name}{{{WHOSE}}}"


def _drift_rows(column: str) -> str:
    return f'modelyard_drift_rows_total{{{WHOSE}, column="{column}"}}'


def _rate(series: str) -> str:
    return f"rate({series}[$__rate_interval])"


def _quantile(share: float) -> str:
    return f"histogram_quantile({share}, sum by (le, version) ({_rate(SECONDS)}))"


def main() -> None:
    """Writes the files of the charts."""
    for chart in dashboards():
        for name, text in render(chart).items():
            write_whole(Path(sys.argv[1], chart, "files", "dashboards", f"{name}.json"), text)


if __name__ == "__main__":
    main()
