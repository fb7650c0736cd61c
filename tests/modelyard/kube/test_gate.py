from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from onnx import GraphProto
from prometheus_client import CollectorRegistry

from modelyard.api.predict import Predictor
from modelyard.config.models import RolloutSettings
from modelyard.kube.gate import Observed, judge, stability_index
from modelyard.models.artifact import load_model
from modelyard.monitoring.metrics import PredictionMetrics
from modelyard.monitoring.readings import Reading
from served_model import json_rows, make_table, save_served

LIMITS = RolloutSettings()
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 1.0, math.inf)
SHARES = (0.7, 0.3)


def track(
    requests: int, *, failed: int = 0, code: str = "500", seconds: float = 0.004, slow: int = 0, **more: object
) -> Observed:
    """A track, some of whose requests failed or took half a second, and whose predictions are spread as SHARES."""
    counts = {"<=50K": round(SHARES[0] * requests), ">50K": round(SHARES[1] * requests)}
    reading = {
        "by_code": Counter({"200": requests - failed, code: failed}),
        "by_bound": Counter(
            {bound: (bound >= seconds) * (requests - slow) + (bound >= 0.5) * slow for bound in BOUNDS}
        ),
        "by_class": Counter(counts),
        **more,
    }
    return Observed(Reading(**reading))


def spread(*counts: int, names: str = "abcdefghij") -> dict[str, Counter[str]]:
    return {"by_class": Counter(dict(zip(names, counts, strict=False)))}


def outcome(stable: Observed, canary: Observed, limits: RolloutSettings = LIMITS) -> tuple[str, str]:
    verdict = judge(stable, canary, limits)
    return verdict.outcome, verdict.reason


def test_a_canary_that_is_as_good_passes_and_its_share_is_measured():
    verdict = judge(track(1800), track(200), LIMITS)
    assert (verdict.outcome, verdict.share) == ("pass", 0.1)
    assert [finding.reason for finding in verdict.findings] == [
        "errors: 0 of its 200 requests have no prediction, 0 of the stable track's 1800",
        "p99: 4.98 ms, the stable track's is 4.98 ms",
        "predictions: population stability index 0",
    ]


@pytest.mark.parametrize(("stable", "canary"), [(1800, 199), (199, 1800), (0, 0)])
def test_too_few_requests_decide_nothing(stable, canary):
    found, reason = outcome(track(stable), track(canary))
    assert found == "inconclusive"
    assert reason == (
        f"too few requests to judge it: {canary} of its own and {stable} of the stable track, at least 200 each"
    )


def test_errors_fail_it_with_their_status():
    assert outcome(track(1800), track(200, failed=20)) == (
        "fail",
        "errors: 0.1 of its 200 requests have no prediction (20 with status 500), 0 of the stable track's 1800",
    )


def test_requests_that_it_does_not_understand_are_errors_too():
    found, reason = outcome(track(1800, failed=9, code="422"), track(200, failed=40, code="422"))
    assert (found, "40 with status 422" in reason) == ("fail", True)


def test_errors_that_both_tracks_have_are_nobodys():
    assert outcome(track(1800, failed=180), track(200, failed=20))[0] == "pass"
    # more, but as likely by chance
    assert outcome(track(1800, failed=9), track(200, failed=4))[0] == "pass"
    # no chance, but nobody would mind
    assert outcome(track(10**6, failed=1000), track(10**6, failed=2000))[0] == "pass"


def test_containers_that_end_fail_it_even_with_few_requests():
    canary = Observed(track(10).reading, restarts=2)
    assert outcome(track(90), canary) == ("fail", "its containers ended and were started again 2 times")
    # the machine's doing
    assert outcome(Observed(track(90).reading, restarts=1), canary)[0] == "inconclusive"


def test_slow_answers_fail_it():
    found, reason = outcome(track(1800), track(200, slow=20))
    assert found == "fail"
    assert reason == (
        "p99: 910 ms, the stable track's is 4.98 ms; 0.1 of its requests take more than 5 ms, and 0 there"
    )
    assert outcome(track(1800, slow=9), track(200, slow=4))[0] == "pass"  # a few may be by chance
    assert outcome(track(1800, slow=180), track(200, slow=20))[0] == "pass"
    assert outcome(track(1800), track(200, seconds=0.009))[0] == "pass"  # less than twice as slow


def test_past_the_last_bound_it_is_slower_than_anything():
    late = Counter(dict.fromkeys(BOUNDS, 150) | {math.inf: 200})
    found, reason = outcome(track(1800, seconds=0.9), track(200, by_bound=late))
    assert (found, reason.startswith("p99: longer than is told apart, the stable track's is ")) == ("fail", True)
    assert outcome(track(200, by_bound=late), track(200, by_bound=late))[0] == "pass"


def test_predictions_that_are_spread_otherwise_fail_it():
    found, reason = outcome(track(1800), track(200, **spread(100, 100, names=["<=50K", ">50K"])))
    assert found == "fail"
    assert reason == (
        "predictions: population stability index 0.169, '>50K' is 0.5 of its own and 0.3 of the stable track's"
    )
    assert outcome(track(1800), track(200, **spread(126, 74, names=["<=50K", ">50K"])))[0] == "pass"


def test_a_class_that_only_one_track_knows_counts():
    stable, canary = track(1800, **spread(1260, 540)), track(200, **spread(100, 40, 60))
    found, reason = outcome(stable, canary)
    assert (found, "'c' is 0.3 of its own and 0 of the stable track's" in reason) == ("fail", True)


def test_rows_of_one_request_are_not_independent():
    """Ten requests of a thousand rows each say no more than ten."""
    limits = RolloutSettings(min_requests=10)
    stable, canary = track(10, **spread(7000, 3000)), track(10, **spread(5000, 5000))
    assert outcome(stable, canary, limits)[0] == "pass"
    assert outcome(track(2000, **spread(7000, 3000)), track(2000, **spread(5000, 5000)), limits)[0] == "fail"


def values(*below: int) -> dict[str, Counter[str] | Counter[float]]:
    return {"by_class": Counter(), "by_edge": Counter(dict(zip((1.5, 3.0, math.inf), below, strict=True)))}


def test_values_are_compared_in_their_bins():
    stable = track(1800, **values(600, 1200, 1800))
    assert outcome(stable, track(200, **values(66, 133, 200)))[0] == "pass"
    found, reason = outcome(stable, track(200, **values(10, 40, 200)))
    assert (found, "'up to 1.5' is 0.05 of its own and 0.333 of the stable track's" in reason) == ("fail", True)


def test_bins_that_differ_decide_nothing():
    other = {"by_class": Counter(), "by_edge": Counter({2.0: 100, math.inf: 200})}
    assert outcome(track(1800, **values(600, 1200, 1800)), track(200, **other)) == (
        "inconclusive",
        "predictions: the tracks do not count them in the same bins",
    )


def test_predictions_that_nobody_counts_decide_nothing():
    assert outcome(track(1800, by_class=Counter()), track(200)) == (
        "inconclusive",
        "predictions: 200 of its own were counted, and 0 of the stable track",
    )


def test_what_nobody_asks_for_is_not_looked_at():
    bad = Observed(track(200, failed=50, slow=50, **spread(1, 199)).reading, restarts=3)
    assert outcome(track(1800), bad)[0] == "fail"
    assert outcome(track(1800), bad, RolloutSettings(max_errors=None, max_slowdown=None, max_shift=None)) == (
        "pass",
        "",
    )


def test_the_index_is_that_of_the_literature_with_floors():
    parts = stability_index({"a": 700, "b": 300}, {"a": 60, "b": 40})
    assert sum(parts.values()) == pytest.approx(-0.1 * math.log(0.6 / 0.7) + 0.1 * math.log(0.4 / 0.3))
    only = stability_index({"a": 10}, {"b": 10})
    assert sum(only.values()) == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))


@pytest.mark.parametrize("bins", [2, 10, 50])
@pytest.mark.parametrize(("of", "beside"), [(200, 200), (200, 1800)])
def test_tracks_that_are_alike_are_seldom_told_apart(bins, of, beside):
    """With the floors and a fixed limit alone, every second canary of 50 classes would be taken back."""
    random = np.random.default_rng(7)
    shares = 1 / np.arange(1, bins + 1) ** 1.5

    def draw(rows: int) -> Observed:
        counts = random.multinomial(rows, shares / shares.sum())
        failed = int(random.binomial(rows, 0.005))
        return track(rows, failed=failed, **spread(*counts.tolist(), names=[f"c{each}" for each in range(bins)]))

    pairs = [(draw(beside), draw(of)) for _ in range(300)]
    wrong = sum(judge(stable, canary, LIMITS).outcome != "pass" for stable, canary in pairs)
    fixed = sum(
        sum(stability_index(stable.reading.predictions, canary.reading.predictions).values()) > 0.1
        for stable, canary in pairs
    )
    assert wrong <= 3
    assert fixed > 50 or bins < 50


def served(folder: Path, task: str, shift: float, edges: Sequence[float] = ()) -> tuple[Reading, tuple[float, ...]]:
    """What a service counted that was asked for every row of a table, and the edges of its contract's bins."""

    def alter(graph: GraphProto) -> None:
        (regressor,) = (node for node in graph.node if node.op_type == "LinearRegressor")
        (intercepts,) = (attribute for attribute in regressor.attribute if attribute.name == "intercepts")
        intercepts.floats[0] += shift

    frame = make_table(task)
    model = load_model(save_served(folder / f"{task} {shift}", frame, alter=alter))
    metrics = PredictionMetrics(CollectorRegistry())
    predictor, route = Predictor(model, 250, metrics, edges), metrics.route("/predict")
    for row in json_rows(frame, model.contract):
        predictor.finish_one(predictor.read(json.dumps({"rows": [row]}).encode()))
        route.observe(200, 0.001)
    metrics.flush()
    return Reading.parse(metrics.expose().decode()), model.contract.target.bins


@pytest.mark.parametrize(("task", "shift"), [("binary", 3.0), ("multiclass", 3.0), ("regression", 40.0)])
def test_what_services_count_is_what_is_judged(tmp_path, task, shift):
    stable, edges = served(tmp_path, task, 0.0)
    other = [edge + 1 for edge in edges]  # of a canary whose training table was another
    for moved, expected in ((1e-3, "pass"), (shift, "fail")):
        canary, _ = served(tmp_path, task, moved, edges)
        assert outcome(Observed(stable), Observed(canary))[0] == expected
    if edges:
        assert outcome(Observed(stable), Observed(served(tmp_path, task, shift, other)[0]))[0] == "inconclusive"
