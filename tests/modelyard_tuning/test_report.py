from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from browser.report_runs import ledger, make_run
from modelyard.config.models import DataSettings, Settings, StorageSettings
from modelyard.errors import RunError
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run, create_run
from modelyard_tuning.report import write_report
from modelyard_tuning.report.search import study_of


def text_of(run: Run) -> str:
    """The report without plotly.js."""
    page = Path(write_report(run)).read_text(encoding="utf-8")
    scripts = re.compile(r"<script>.*?</script>", re.DOTALL)
    return scripts.sub("", page)


def plots_of(page: str) -> dict[str, dict]:
    found = re.findall(r'<script type="application/json" data-for="([^"]+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(document) for name, document in found}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make_run(tmp_path_factory.mktemp("runs"), "binary")


@pytest.fixture
def empty(tmp_path: Path) -> Run:
    return create_run(Settings(data=DataSettings(path="x.csv"), storage=StorageSettings(runs=str(tmp_path))), "x")


def test_a_finished_run_has_every_part(finished: Run) -> None:
    page = text_of(finished)
    assert set(plots_of(page)) == {
        "plot-columns",
        "plot-learning",
        "plot-roc",
        "plot-pr",
        "plot-calibration",
        "plot-confusion",
        "plot-history",
        "plot-latency",
        "plot-params",
        "plot-parallel",
    }
    words = ("linear", "dummy", "Data quality", "Contract", "Lineage", "Thresholds", f"modelyard pack {finished.name}")
    assert [word for word in words if word not in page] == []
    assert 'class="missing"' not in page.split("</main>")[0]


def test_one_file_without_an_address(finished: Run) -> None:
    page = text_of(finished)
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert "url(" not in page
    assert page.count("<style>") == 1


def test_regression_has_residuals(tmp_path: Path) -> None:
    plots = plots_of(text_of(make_run(tmp_path, "regression", trials=3)))
    assert {"plot-residuals", "plot-predicted"} <= set(plots)
    assert "plot-roc" not in plots


def test_too_few_trials_are_said(tmp_path: Path) -> None:
    page = text_of(make_run(tmp_path, "multiclass", trials=2))
    assert "are needed to say what a parameter does" in page
    assert "nothing to weigh up" in page
    assert "plot-params" not in plots_of(page)


def test_a_run_without_anything_has_a_report_too(empty: Run) -> None:
    page = text_of(empty)
    assert "The run has no score on held-out rows yet." in page
    assert "No trial has finished all folds yet" in page
    assert plots_of(page) == {}


def test_a_run_whose_trials_all_failed_names_the_reason(empty: Run) -> None:
    for record in ledger(12, True):
        if record.state == "failed":
            empty.ledger.append(record)
    page = text_of(empty)
    assert "1 of 1 trials failed" in page
    assert "no further splits" in page


def test_a_trial_that_was_interrupted_is_not_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path, "binary", trials=6)
    common = {"algorithm": "linear", "params": {"C": 1.0}, "score": 0.9, "cost_us": 1.0}
    run.ledger.append(Record(trial=6, rung=0, state="running", **common))
    page = text_of(run)
    assert "<dt>Trials</dt><dd>6</dd>" in page
    assert "<dt>Unfinished, not counted</dt><dd>1</dd>" in page
    assert "1 of 6 trials failed" in page


def test_history_keeps_the_runs_own_numbers(finished: Run) -> None:
    history = plots_of(text_of(finished))["plot-history"]
    named = {trace["name"]: trace for trace in history["data"]}
    complete = [trial["id"] for trial in finished.trials() if trial["state"] == "complete"]
    assert list(named["all folds"]["x"]) == complete


def test_scores_of_different_rungs_are_not_mixed(finished: Run) -> None:
    latency = plots_of(text_of(finished))["plot-latency"]
    shown = sorted(y for trace in latency["data"] if trace["name"] != "winner" for y in trace["y"])
    complete = sorted(trial["score"] for trial in finished.trials() if trial["state"] == "complete")
    assert shown == complete


def test_a_study_is_rebuilt_from_records() -> None:
    records = [one for one in ledger(24, True) if one.algorithm == "lightgbm" and one.rung == 0 and one.score]
    study = study_of(records, maximize=True)
    assert study.best_value == max(record.score for record in records)
    assert study.trials[0].params == records[0].params
    assert study.trials[0].distributions["learning_rate"].log
    assert len({json.dumps(trial.params) for trial in study.trials}) == len(records)


def test_a_damaged_part_is_named(empty: Run) -> None:
    empty.storage.write("quality.json", '{"rows": "many"}')
    with pytest.raises(RunError, match=r"quality\.json cannot be read"):
        write_report(empty)
