from __future__ import annotations

from modelyard.cli import progress
from modelyard.cli.progress import SearchProgress
from modelyard_tuning.progress import Progress


def test_off_a_terminal_there_are_few_lines(capsys, monkeypatch):
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with SearchProgress() as shown:
        shown.stage("loading")
        shown.start(30, None)
        for trial in range(1, 61):
            shown.trial(trial, trial // 20, 0.9 + trial / 1000 if trial > 1 else None, "roc_auc", 30 - trial / 10)
            now += 0.1
        shown.stage("packing")
    lines = capsys.readouterr().err.splitlines()

    assert lines[:3] == ["loading", "searching, at most 30 s", "1 trial, 30 s left"]
    assert lines[-2:] == ["60 trials (3 failed), best roc_auc 0.96, 24 s left", "packing"]
    assert len(lines) == 7, "one every two seconds, and the last one"


def test_trials_may_be_the_limit(capsys):
    with SearchProgress() as shown:
        shown.start(None, 40)
        shown.trial(1, 0, 12345.6, "rmse", None)

    assert capsys.readouterr().err == "searching, at most 40 trials\n1/40 trials, best rmse 12,346\n"


def test_on_a_terminal_there_is_a_bar(capsys):
    with SearchProgress(live=True) as shown:
        shown.start(30, 40)
        shown.trial(10, 1, 0.91, "roc_auc", 15)
        shown.stage("packing")
    captured = capsys.readouterr()

    assert captured.out == ""
    assert "10/40 trials (1 failed), best roc_auc 0.91, 15 s left" in captured.err
    assert captured.err.endswith("packing\n")


def test_a_search_is_followed(capsys):
    with SearchProgress(live=False) as shown:
        shown.follow(Progress("loading"))
        shown.follow(Progress("search", left=28.4, limit=5))
        shown.follow(Progress("search", trials=1, metric="rmse", best=2.5, left=20.0, limit=5))
        shown.follow(Progress("search", trials=2, failed=1, metric="rmse", best=2.25, left=15.0, limit=5))
        shown.follow(Progress("finalists", trials=2, failed=1))

    assert capsys.readouterr().err.splitlines() == [
        "reading the table",
        "searching, at most 5 trials or 28 s",
        "1/5 trials, best rmse 2.5, 20 s left",
        "2/5 trials (1 failed), best rmse 2.25, 15 s left",
        "refitting, compiling and measuring the best trials",
    ]
