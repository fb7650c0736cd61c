"""Prometheus' recording rules and alerts for a release: drift, outcomes, objectives, and a service that is gone.

    python -m modelyard.monitoring.rules FOLDER

writes them as the chart ships them, with a word such as ``@WINDOW@`` where a release's value belongs. A rule that looks
at series names its own namespace and release, so that two releases in one Prometheus do not meet. The burn rates are
those of the multi-window, multi-burn-rate alerts in Google's Site Reliability Workbook, chapter 5.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard.config.files import write_yaml
from modelyard.monitoring.drift import FLOOR
from modelyard.utils.files import write_whole

__all__ = ["DEFAULTS", "FILES", "render", "rules"]

Rule = dict[str, Any]

# what stands for a release's values, and the chart's defaults
DEFAULTS: Mapping[str, str] = {
    "NAMESPACE": "default",
    "RELEASE": "release",
    "RUNBOOKS": "docs/runbooks",
    "WINDOW": "1d",
    "HOLD": "5m",
    "DRIFT_INDEX": "0.25",
    "DRIFT_ROWS": "1000",
    "UNSEEN_SHARE": "0.05",
    "MISSING_SHARE": "0.05",
    "FEEDBACK_WINDOW": "7d",
    "FEEDBACK_ROWS": "500",
    "FEEDBACK_WORSE": "1.5",
    "AVAILABILITY": "0.999",
    "LATENCY_SHARE": "0.99",
    "LATENCY_SECONDS": "0.1",
    "LEAST_REQUESTS": "100",
}
WHOSE = 'namespace="@NAMESPACE@", release="@RELEASE@"'
BY_COLUMN = "namespace, release, contract_digest, column"
BY_BIN = f"{BY_COLUMN}, bin"
BY_VERSION = "namespace, release, version"
# routes that predict, as a regular expression of Prometheus, which is anchored
PREDICTS = 'route=~".*(predict|infer)"'
# of them, those that the service owed an answer: it failed, or had no place left
FAILED = 'code=~"5..|429"'
# the share of the budget that a burn rate spends, over 30 days: 2 %, 5 %, 10 %, 10 %
BURNS = (
    ("1h", "5m", 14.4, "2m", "critical"),
    ("6h", "30m", 6, "15m", "critical"),
    ("1d", "2h", 3, "1h", "warning"),
    ("3d", "6h", 1, "3h", "warning"),
)
LONGS = {long for long, *_ in BURNS}
WINDOWS = tuple(dict.fromkeys(window for long, short, *_ in BURNS for window in (long, short)))


def rules() -> dict[str, list[dict[str, Any]]]:
    """Returns the groups of each file."""
    return {
        "drift": [_group("drift", _drift_records() + _drift_alerts())],
        "feedback": [_group("feedback", [*_feedback_records(), _score_drop()])],
        "objectives": [_group("objectives", _objective_records() + _objective_alerts())],
        "availability": [_group("availability", _gone())],
    }


def render(values: Mapping[str, str]) -> dict[str, str]:
    """Returns the YAML of each file for one release, as the chart does.

    Args:
        values: Those of `DEFAULTS` that are others.
    """
    return {name: _filled(text, {**DEFAULTS, **values}) for name, text in FILES.items()}


def _filled(text: str, values: Mapping[str, str]) -> str:
    for word, value in values.items():
        text = text.replace(f"@{word}@", value)
    return text


def _group(name: str, content: list[Rule]) -> dict[str, Any]:
    return {"name": f"modelyard-@NAMESPACE@-@RELEASE@-{name}", "rules": content}


def _record(name: str, expression: str) -> Rule:
    return {"record": f"modelyard:{name}", "expr": expression}


def _alert(name: str, expression: str, wait: str, summary: str, description: str, **labels: str) -> Rule:
    return {
        "alert": f"Modelyard{name}",
        "expr": expression,
        "for": wait,
        "labels": {"severity": "warning", **labels, "namespace": "@NAMESPACE@", "release": "@RELEASE@"},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"@RUNBOOKS@/Modelyard{name}.md",
        },
    }


def _drift_records() -> list[Rule]:
    rows = f"modelyard:drift_rows:window{{{WHOSE}}}"
    total = f"sum by ({BY_COLUMN}) ({rows})"
    share = f"modelyard:drift_share{{{WHOSE}}}"
    expected = f"modelyard:drift_expected_share{{{WHOSE}}}"
    return [
        _record("drift_rows:window", f"sum by ({BY_BIN}) (increase(modelyard_drift_rows_total{{{WHOSE}}}[@WINDOW@]))"),
        # nothing to compare until there are rows: 0 / 0 would be no number, and stay one in every sum
        _record("drift_share", f"{rows} / on ({BY_COLUMN}) group_left () ({total} > 0)"),
        # all workers and replicas of a contract say the same
        _record("drift_expected_share", f"max by ({BY_BIN}) (modelyard_drift_expected_share{{{WHOSE}}})"),
        _record(
            "drift_index",
            f"sum by ({BY_COLUMN}) ((clamp_min({share}, {FLOOR}) - clamp_min({expected}, {FLOOR}))"
            f" * ln(clamp_min({share}, {FLOOR}) / clamp_min({expected}, {FLOOR})))",
        ),
        _record("drift_rows", total),
        _record("missing_share", f"max by ({BY_COLUMN}) ({_of_bin(share, '(null)')})"),
        _record("unseen_share", f"max by ({BY_COLUMN}) ({_of_bin(share, '(unknown)')})"),
    ]


def _of_bin(series: str, name: str) -> str:
    return series.replace("}", f', bin="{name}"}}')


def _drift_alerts() -> list[Rule]:
    enough = f"and on ({BY_COLUMN}) modelyard:drift_rows{{{WHOSE}}} >= @DRIFT_ROWS@"
    columns, prediction = 'column!="(prediction)"', 'column="(prediction)"'
    usual = f"max by ({BY_COLUMN}) ({_of_bin(f'modelyard:drift_expected_share{{{WHOSE}}}', '%s')})"
    return [
        _alert(
            "ColumnDrift",
            f"modelyard:drift_index{{{WHOSE}, {columns}}} > @DRIFT_INDEX@ {enough}",
            "@HOLD@",
            "Column {{ $labels.column }} of @RELEASE@ has drifted",
            "The population stability index of {{ $labels.column }} is {{ $value | humanize }} over @WINDOW@; beyond "
            "@DRIFT_INDEX@ the rows are another population than those of training.",
        ),
        _alert(
            "PredictionDrift",
            f"modelyard:drift_index{{{WHOSE}, {prediction}}} > @DRIFT_INDEX@ {enough}",
            "@HOLD@",
            "The predictions of @RELEASE@ have drifted",
            "The population stability index of the predictions is {{ $value | humanize }} over @WINDOW@, held against "
            "those on the rows that were held out of training.",
        ),
        _alert(
            "UnseenCategories",
            f"modelyard:unseen_share{{{WHOSE}}} - on ({BY_COLUMN}) {usual % '(unknown)'} > @UNSEEN_SHARE@ {enough}",
            "@HOLD@",
            "Column {{ $labels.column }} of @RELEASE@ has categories that training did not know",
            "Their share is {{ $value | humanizePercentage }} above that of training, over @WINDOW@.",
        ),
        _alert(
            "MissingValues",
            f"modelyard:missing_share{{{WHOSE}}} - on ({BY_COLUMN}) {usual % '(null)'} > @MISSING_SHARE@ {enough}",
            "@HOLD@",
            "Column {{ $labels.column }} of @RELEASE@ lacks values",
            "The share of nulls is {{ $value | humanizePercentage }} above that of training, over @WINDOW@.",
        ),
    ]


def _feedback_records() -> list[Rule]:
    rows = f"increase(modelyard_feedback_rows_total{{{WHOSE}}}[@FEEDBACK_WINDOW@])"
    errors = f"increase(modelyard_feedback_error_total{{{WHOSE}}}[@FEEDBACK_WINDOW@])"
    return [
        _record("feedback_rows", f"sum by ({BY_VERSION}) ({rows})"),
        _record(
            "live_error",
            f"sum by ({BY_VERSION}, measure) ({errors})"
            f" / on ({BY_VERSION}) group_left () (modelyard:feedback_rows{{{WHOSE}}} > 0)",
        ),
        _record("card_error", f"max by ({BY_VERSION}, measure) (modelyard_card_error{{{WHOSE}}})"),
    ]


def _score_drop() -> Rule:
    return _alert(
        "ScoreDrop",
        f"modelyard:live_error{{{WHOSE}}} > @FEEDBACK_WORSE@ * modelyard:card_error{{{WHOSE}}}"
        f" and on ({BY_VERSION}) modelyard:feedback_rows{{{WHOSE}}} >= @FEEDBACK_ROWS@",
        "@HOLD@",
        "@RELEASE@ errs more than its card says",
        "The {{ $labels.measure }} error of version {{ $labels.version }} is {{ $value | humanize }} on the outcomes "
        "that came in @FEEDBACK_WINDOW@, more than @FEEDBACK_WORSE@ times that on the rows held out of training.",
    )


def _objective_records() -> list[Rule]:
    found = []
    requests = f"modelyard_requests_total{{{WHOSE}, {PREDICTS}}}"
    failed = f"modelyard_requests_total{{{WHOSE}, {PREDICTS}, {FAILED}}}"
    buckets = f'modelyard_request_seconds_bucket{{{WHOSE}, {PREDICTS}, le="@LATENCY_SECONDS@"}}'
    counted = f"modelyard_request_seconds_count{{{WHOSE}, {PREDICTS}}}"
    whole = "sum by (namespace, release)"
    for window in WINDOWS:
        total = f"{whole} (increase({requests}[{window}]))"
        # no failure has a series before the first one
        bad = f"({whole} (increase({failed}[{window}])) or 0 * {total})"
        if window in LONGS:
            found.append(_record(f"requests:{window}", total))
        found += [
            _record(f"failed_share:{window}", f"{bad} / ({total} > 0)"),
            _record(
                f"slow_share:{window}",
                f"1 - {whole} (increase({buckets}[{window}])) / ({whole} (increase({counted}[{window}])) > 0)",
            ),
        ]
    return found


def _objective_alerts() -> list[Rule]:
    objectives = (
        ("Availability", "failed_share", "(1 - @AVAILABILITY@)", "fails requests"),
        ("Latency", "slow_share", "(1 - @LATENCY_SHARE@)", "is slow"),
    )
    return [
        _alert(
            f"{objective}Burn",
            f"modelyard:{share}:{long}{{{WHOSE}}} > {rate} * {budget}"
            f" and modelyard:{share}:{short}{{{WHOSE}}} > {rate} * {budget}"
            f" and modelyard:requests:{long}{{{WHOSE}}} >= @LEAST_REQUESTS@",
            wait,
            f"@RELEASE@ {does}: its error budget burns {rate} times too fast",
            f"{{{{ $value | humanizePercentage }}}} of the requests of the last {long} missed the objective; at this "
            f"rate 30 days' budget is gone in {_days(rate)}.",
            severity=severity,
            long=long,
            short=short,
        )
        for objective, share, budget, does in objectives
        for long, short, rate, wait, severity in BURNS
    ]


def _days(rate: float) -> str:
    days = 30 / rate
    return f"{days:.0f} days" if days >= 3 else f"{24 * days:.0f} hours"


def _gone() -> list[Rule]:
    up = f"up{{{WHOSE}}}"
    return [
        _alert(
            "Down",
            f"(sum by (namespace, release) ({up}) or absent({up}) - 1) == 0",
            # with the time between two scrapes and two evaluations, somebody hears of it within two minutes
            "1m",
            "No pod of @RELEASE@ answers Prometheus",
            "Nothing serves predictions, or nothing that serves them can be scraped.",
            severity="critical",
        )
    ]


HEADER = "# Made by `make rules` from platform/modelyard/monitoring/rules.py\n"
FILES: Mapping[str, str] = {name: HEADER + write_yaml({"groups": groups}) for name, groups in rules().items()}


def main() -> None:
    """Writes the files of the chart."""
    for name, text in FILES.items():
        write_whole(Path(sys.argv[1], f"{name}.yaml"), text)


if __name__ == "__main__":
    main()
