from __future__ import annotations

import dataclasses

from modelyard.cli.summary import print_next, print_outcome
from modelyard_tuning.outcome import Outcome

OUTCOME = Outcome(
    run="20260102-030405-people",
    folder="runs/20260102-030405-people",
    task="binary",
    metric="roc_auc",
    score=0.91234,
    interval=(0.8, 0.95),
    baselines={"dummy": 0.5, "linear": 0.85},
    algorithm="lightgbm",
    params={},
    cross_validation=0.9,
    trials=12,
    failed_trials=1,
    failures={"linear": "no [memory]"},
    seconds=31.4,
    interrupted=False,
    model="runs/20260102-030405-people/model",
    model_name="people",
    version="abc",
    served="compiled",
    latency_us=20.0,
    report="runs/20260102-030405-people/report.html",
    findings=(),
)


def test_the_score_stands_beside_its_baselines(capsys):
    print_outcome(OUTCOME, {"bento": "people:abc"})
    print_next(["modelyard serve"])

    assert capsys.readouterr().out.splitlines() == [
        "",
        "run              20260102-030405-people",
        "winner           lightgbm",
        "roc_auc          0.9123 on held-out rows (95 % interval 0.8 to 0.95)",
        "  dummy          0.5",
        "  linear         0.85",
        "search           12 trials, 1 failed, 31 s",
        "  linear failed  no [memory]",
        "report           runs/20260102-030405-people/report.html",
        "bento            people:abc",
        "",
        "next:",
        "  modelyard serve",
    ]


def test_one_trial_is_one(capsys):
    print_outcome(dataclasses.replace(OUTCOME, trials=1, failed_trials=0))
    assert "search           1 trial, 31 s" in capsys.readouterr().out.splitlines()
