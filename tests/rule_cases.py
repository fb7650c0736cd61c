"""Series over time, and which alerts they must raise: the cases of `promtool test rules`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.monitoring.drift import population_stability_index

__all__ = ["CASES", "VALUES", "Case", "document"]

VALUES = {"NAMESPACE": "shop", "RELEASE": "people", "WINDOW": "1h", "HOLD": "5m", "FEEDBACK_WINDOW": "30m"}
WHOSE = {"namespace": "shop", "release": "people"}
MINUTES_A_DAY = 1440
Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """Series, and how many alerts of a name are firing when.

    Attributes:
        name: What is tested.
        series: Values by series, in promtool's notation, one a step.
        firing: Number of alerts by minute and by name, with further labels where it matters which.
        values: Values by minute and expression, one sample each.
        step: Minutes between two scrapes, and between two evaluations.
    """

    name: str
    series: Series
    firing: Mapping[tuple[int, str], int] = field(default_factory=dict)
    values: Mapping[tuple[int, str], float] = field(default_factory=dict)
    step: int = 1

    @property
    def alerts(self) -> set[str]:
        """The names of the alerts that it tells of."""
        return {f"Modelyard{alert.partition(' ')[0]}" for _, alert in self.firing}


def document(case: Case, files: list[str]) -> dict[str, Any]:
    """Returns a case as `promtool test rules` reads it."""
    expected = {
        (minute, f"count(ALERTS{{alertstate='firing', {_alert(alert)}}}) or vector(0)"): count
        for (minute, alert), count in case.firing.items()
    }
    return {
        "rule_files": files,
        "evaluation_interval": f"{case.step}m",
        "fuzzy_compare": True,
        "tests": [
            {
                "name": case.name,
                "interval": f"{case.step}m",
                "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
                "promql_expr_test": [
                    {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": value}]}
                    for (minute, expression), value in (expected | dict(case.values)).items()
                ],
            }
        ],
    }


def _alert(named: str) -> str:
    name, _, more = named.partition(" ")
    return f"alertname='Modelyard{name}'" + (f", {more}" if more else "")


def _series(name: str, **labels: str) -> str:
    given = ", ".join(f'{label}="{value}"' for label, value in (WHOSE | labels).items())
    return f"{name}{{{given}}}"


def requests(ok: str, bad: str, code: str = "500", **labels: str) -> Series:
    """Requests that were answered and others, as counters."""
    labels = {"route": "/predict", "pod": "a", "version": "1"} | labels
    return {
        _series("modelyard_requests_total", code="200", **labels): ok,
        _series("modelyard_requests_total", code=code, **labels): bad,
    }


def seconds(fast: str, every: str, **labels: str) -> Series:
    """Requests within a tenth of a second, and all of them."""
    labels = {"route": "/predict", "pod": "a"} | labels
    return {
        _series("modelyard_request_seconds_bucket", le="0.1", **labels): fast,
        _series("modelyard_request_seconds_count", **labels): every,
    } | {_series("modelyard_requests_total", code="200", version="1", **labels): every}


def column(rows: Mapping[str, str], expected: Mapping[str, float], name: str = "age", **labels: str) -> Series:
    """A column's rows by bin as counters, and what training had."""
    labels = {"contract_digest": "d1", "column": name, "pod": "a"} | labels
    return {_series("modelyard_drift_rows_total", bin=cell, **labels): values for cell, values in rows.items()} | {
        _series("modelyard_drift_expected_share", bin=cell, **labels): f"{share}x100000"
        for cell, share in expected.items()
    }


def outcomes(
    rows: str, errors: str, card: float = 0.1, version: str = "v1", measure: str = "misclassified", **labels: str
) -> Series:
    """Outcomes of predictions and their errors as counters, and what the card says."""
    told = {"version": version, "pod": "a"} | labels
    return {
        _series("modelyard_feedback_rows_total", **told): rows,
        _series("modelyard_feedback_error_total", measure=measure, **told): errors,
        _series("modelyard_card_error", measure=measure, **told): f"{card}x100000",
    }


def steady(rate: float, steps: int = 400) -> str:
    """A counter that grows by so much a step."""
    return f"0+{rate}x{steps}"


def burning(share: float, **labels: str) -> Series:
    """A hundred requests a minute, of which this share fails."""
    return requests(steady(100 * (1 - share)), steady(100 * share), **labels)


def slow(share: float) -> Series:
    """A hundred requests a minute, of which this share takes too long."""
    return seconds(steady(100 * (1 - share)), steady(100))


def burn(kind: str, long: str) -> str:
    """An alert of one pair of windows."""
    return f"{kind}Burn long='{long}'"


# of a budget of 0.1 %, and of 1 %: 14.4, 6, 3 and 1 times too fast, and a little more
LONGS = ("1h", "6h", "1d", "3d")
FULL = {"1h": 65, "6h": 380, "1d": MINUTES_A_DAY + 90, "3d": 3 * MINUTES_A_DAY + 240}
# days by the minute would take promtool a minute
STEPS = {"1h": 1, "6h": 1, "1d": 15, "3d": 30}
AVAILABILITY = {"1h": 0.016, "6h": 0.007, "1d": 0.0035, "3d": 0.0015}
LATENCY = {long: 10 * share for long, share in AVAILABILITY.items()}
OBJECTIVES = [
    Case(
        f"{kind}: a share of {share:.4f} burns the budget over {long} and over no shorter time",
        make(share),
        {(FULL[long], burn(kind, other)): int(other == long) for other in LONGS[: LONGS.index(long) + 1]},
        step=STEPS[long],
    )
    for kind, shares, make in (("Availability", AVAILABILITY, burning), ("Latency", LATENCY, slow))
    for long, share in shares.items()
]
QUIET = {(FULL[long], burn("Availability", long)): 0 for long in LONGS[:2]}
ONE_HOUR = burn("Availability", "1h")
HEALTHY = {"young": 0.5, "old": 0.5}
MOVED = {"young": steady(95), "old": steady(5)}

CASES = [
    *OBJECTIVES,
    Case("failures within the budget are nobody's business", burning(0.0005), QUIET),
    Case("nor over days", burning(0.0005), {(FULL["3d"], burn("Availability", "3d")): 0}, step=30),
    Case("so are slow ones", slow(0.005), {(FULL["3d"], burn("Latency", "3d")): 0}, step=30),
    Case(
        "an alert ends soon after the failures do",
        requests(steady(100), "0+10x90 900x100"),
        {(80, ONE_HOUR): 1, (97, ONE_HOUR): 0},
    ),
    Case(
        "a minute of failures wakes nobody",
        requests(steady(100), "0x60 50x100"),
        {(62, ONE_HOUR): 0, (65, ONE_HOUR): 0},
    ),
    Case("a failure among few requests wakes nobody", requests(steady(1), steady(0.5)), {(FULL["1h"], ONE_HOUR): 0}),
    Case(
        "few requests make an alert over a longer time",
        requests(steady(1), steady(0.5)),
        {(FULL["6h"], burn("Availability", "6h")): 1},
    ),
    Case(
        "a slow answer among few requests wakes nobody",
        seconds(steady(0.5), steady(1)),
        {(65, burn("Latency", "1h")): 0},
    ),
    Case("requests refused for want of room spend the budget", burning(0.05, code="429"), {(FULL["1h"], ONE_HOUR): 1}),
    Case("wrong requests do not", burning(0.5, code="422"), {(FULL["1h"], ONE_HOUR): 0}),
    Case("nor do clients that went away", burning(0.5, code="499"), {(FULL["1h"], ONE_HOUR): 0}),
    Case("nor do routes that predict nothing", burning(0.5, route="/readyz"), {(FULL["1h"], ONE_HOUR): 0}),
    Case("the Open Inference Protocol counts too", burning(0.05, route="/v2/models/NAME/infer"), {(65, ONE_HOUR): 1}),
    Case(
        "a deploy does not begin anew",
        requests("0+98x60 5880x100", "0+2x60 120x100")
        | requests("_x60 0+98x100", "_x60 0+2x100", version="2", pod="b"),
        {(66, ONE_HOUR): 1, (90, ONE_HOUR): 1},
    ),
    Case(
        "a deploy of what is well is quiet",
        requests("0+100x60 6000x100", "0x160") | requests("_x60 0+100x100", "_x60 0x100", version="2", pod="b"),
        {(66, ONE_HOUR): 0, (90, ONE_HOUR): 0},
    ),
    Case("a counter that begins anew is no failure", requests("0+100x60 0+100x60", "0x120"), {(70, ONE_HOUR): 0}),
    Case("and hides none", requests("0+95x60 0+95x60", "0+5x60 0+5x60"), {(70, ONE_HOUR): 1}),
    Case("another release's failures are its own", burning(0.5, release="other"), {(FULL["1h"], ONE_HOUR): 0}),
    Case("so are another namespace's", burning(0.5, namespace="other"), {(FULL["1h"], ONE_HOUR): 0}),
    Case("and do not hide behind ours", burning(0.05) | burning(0, release="other"), {(FULL["1h"], ONE_HOUR): 1}),
    Case("no pod answers", {_series("up", pod="a"): "1x10 0x20"}, {(11, "Down"): 0, (13, "Down"): 1}),
    Case("one of two answers", {_series("up", pod="a"): "1x30", _series("up", pod="b"): "0x30"}, {(15, "Down"): 0}),
    Case("there is no pod", {_series("up", release="other", pod="a"): "1x30"}, {(5, "Down"): 1}),
    Case("a pod was restarted", {_series("up", pod="a"): "1x10 0 1x20"}, {(11, "Down"): 0, (12, "Down"): 0}),
    Case(
        "a column that moved is told, and no other",
        column(MOVED, HEALTHY) | column({"low": steady(50), "high": steady(50)}, {"low": 0.5, "high": 0.5}, "pay"),
        {(30, "ColumnDrift column='age'"): 1, (30, "ColumnDrift column='pay'"): 0, (30, "PredictionDrift"): 0},
    ),
    Case(
        "it ends when the shift does",
        column({"young": "0+95x60 5700+50x200", "old": "0+5x60 300+50x200"}, HEALTHY),
        {(60, "ColumnDrift"): 1, (125, "ColumnDrift"): 0},
    ),
    Case(
        "few rows are no drift",
        column({"young": steady(9.5), "old": steady(0.5)}, HEALTHY),
        {(60, "ColumnDrift"): 0},
        {(60, "sum(modelyard:drift_rows)"): 600},
    ),
    Case(
        "the index is the library's, over both pods",
        column({"young": steady(30), "old": steady(10), "(null)": steady(1)}, HEALTHY | {"(null)": 0})
        | column({"young": steady(60), "old": steady(10), "(null)": steady(0)}, HEALTHY | {"(null)": 0}, pod="b"),
        values={
            (60, "sum(modelyard:drift_index)"): population_stability_index(
                [0.5, 0.5, 0.0], [90 / 111, 20 / 111, 1 / 111]
            )
        },
    ),
    Case(
        "a bin without rows has the floor",
        column({"young": steady(100), "old": steady(0)}, HEALTHY),
        {(60, "ColumnDrift"): 1},
        {(60, "sum(modelyard:drift_index)"): population_stability_index([0.5, 0.5], [1.0, 0.0])},
    ),
    Case(
        "two halves that moved apart are no drift together",
        column({"young": steady(95), "old": steady(5)}, HEALTHY)
        | column({"young": steady(5), "old": steady(95)}, HEALTHY, pod="b"),
        {(60, "ColumnDrift"): 0},
    ),
    Case("no rows are no drift", column({"young": "0x100", "old": "0x100"}, HEALTHY), {(60, "ColumnDrift"): 0}),
    Case(
        "a counter that begins anew is no drift",
        column({"young": "0+50x60 0+50x60", "old": "0+50x60 0+50x60"}, HEALTHY),
        {(60, "ColumnDrift"): 0, (65, "ColumnDrift"): 0, (100, "ColumnDrift"): 0},
    ),
    Case("another release's drift is its own", column(MOVED, HEALTHY, release="other"), {(60, "ColumnDrift"): 0}),
    Case(
        "and is not made up for by ours",
        column(MOVED, HEALTHY) | column({"young": steady(5), "old": steady(95)}, HEALTHY, release="other"),
        {(60, "ColumnDrift"): 1},
    ),
    Case(
        "after a deploy each contract is held against its own training",
        column({"young": "0+95x60 5700x100", "old": "0+5x60 300x100"}, {"young": 0.95, "old": 0.05})
        | column({"young": "_x60 0+5x100", "old": "_x60 0+95x100"}, {"young": 0.05, "old": 0.95}, contract_digest="d2"),
        {(60, "ColumnDrift"): 0, (90, "ColumnDrift"): 0, (120, "ColumnDrift"): 0},
    ),
    Case(
        "predictions that moved are told by an alert of their own",
        column({"yes": steady(95), "no": steady(5)}, {"yes": 0.5, "no": 0.5}, "(prediction)"),
        {(30, "PredictionDrift"): 1, (30, "ColumnDrift"): 0},
    ),
    Case(
        "new categories are told",
        column({"(unknown)": steady(10), "a": steady(90)}, {"(unknown)": 0.01, "a": 0.99}, "job"),
        {(30, "UnseenCategories column='job'"): 1, (30, "MissingValues"): 0},
    ),
    Case(
        "as many as training had are not",
        column({"(unknown)": steady(10), "a": steady(90)}, {"(unknown)": 0.1, "a": 0.9}, "job"),
        {(30, "UnseenCategories"): 0},
    ),
    Case(
        "missing values are told",
        column({"(null)": steady(10), "a": steady(90)}, {"(null)": 0, "a": 1}, "job"),
        {(30, "MissingValues column='job'"): 1, (30, "UnseenCategories"): 0},
    ),
    Case(
        "among few rows they are not",
        column({"(null)": steady(1), "(unknown)": steady(1), "a": steady(9)}, {"(null)": 0, "(unknown)": 0, "a": 1}),
        {(30, "MissingValues"): 0, (30, "UnseenCategories"): 0},
    ),
    Case(
        "outcomes worse than the card says are told, once there are enough",
        outcomes(steady(20), steady(3.2)),
        {(20, "ScoreDrop"): 0, (35, "ScoreDrop version='v1', measure='misclassified'"): 1},
        {(30, "round(sum(modelyard:live_error), 0.001)"): 0.16, (30, "sum(modelyard:card_error)"): 0.1},
    ),
    Case("those that it foresees are not", outcomes(steady(20), steady(2.8)), {(50, "ScoreDrop"): 0}),
    Case("nor are a few", outcomes(steady(5), steady(5)), {(50, "ScoreDrop"): 0}),
    Case("without outcomes there is no error", outcomes("0x100", "0x100"), {(60, "ScoreDrop"): 0}),
    Case(
        "outcomes add up over replicas",
        outcomes(steady(10), steady(0)) | outcomes(steady(10), steady(4), pod="b"),
        {(40, "ScoreDrop"): 1},
        {(40, "round(sum(modelyard:live_error), 0.001)"): 0.2},
    ),
    Case(
        "each version is held against its own card",
        outcomes(steady(20), steady(4), card=0.2) | outcomes(steady(20), steady(1), card=0.02, version="v2"),
        {(40, "ScoreDrop version='v1'"): 0, (40, "ScoreDrop version='v2'"): 1},
    ),
    Case(
        "a restart is no outcome",
        outcomes("0+20x30 0+20x30", "0+2x30 0+2x30"),
        {(59, "ScoreDrop"): 0},
    ),
    Case(
        "another release's outcomes are its own", outcomes(steady(20), steady(9), release="b"), {(40, "ScoreDrop"): 0}
    ),
]
