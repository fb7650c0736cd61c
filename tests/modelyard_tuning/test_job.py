from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelyard.config.models import Settings
from modelyard.errors import RunError, TableUnreadable, TrainingError
from modelyard.models.artifact import load_model, read_card
from modelyard.registry.runs import list_runs, open_run
from modelyard_tuning.job import tune
from modelyard_tuning.progress import Progress

pytestmark = pytest.mark.slow


def settings(folder: Path, model: dict[str, Any] | None = None, **tuning: Any) -> Settings:
    return Settings.model_validate(
        {
            "data": {"path": "sklearn://breast_cancer"},
            "ml": {"folds": 3, "repeats": 1},
            "model": {"algorithms": ["linear", "hist_gradient_boosting"], **(model or {})},
            "tuning": {"time_budget_s": None, "slots": 2, **tuning},
            "storage": {"runs": str(folder / "runs"), "models": str(folder / "models")},
        }
    )


@pytest.mark.usefixtures("scratch")
def test_a_table_becomes_a_model_and_its_run_can_go_on(tmp_path: Path) -> None:
    told: list[Progress] = []
    chosen = settings(tmp_path, {"threshold": "tuned", "calibrate": True}, trials=4)
    outcome = tune(chosen, told.append)

    run = open_run("latest", chosen.storage.runs)
    assert run.name == outcome.run
    assert run.info["state"] == "complete"
    assert run.info["data"]["rows"] == 569
    assert (outcome.task, outcome.metric, outcome.trials, outcome.failed_trials) == ("binary", "roc_auc", 4, 0)
    assert outcome.score is not None
    assert outcome.interval is not None
    assert outcome.interval[0] <= outcome.score <= outcome.interval[1]
    assert outcome.score > 0.95 > outcome.baselines["dummy"] == 0.5
    assert run.summary == json.loads(json.dumps(outcome.to_dict()))
    assert Path(outcome.report).is_file()

    card, model = read_card(outcome.model), load_model(outcome.model)
    best = max((trial for trial in run.trials() if trial["state"] == "complete"), key=lambda trial: trial["score"])
    assert (card.algorithm, card.params, card.cross_validation) == (best["algorithm"], best["params"], best["score"])
    assert card.held_out["roc_auc"].value == outcome.score
    assert card.held_out_rows + card.rows == 569
    assert card.served == "compiled"
    assert card.parity is not None
    assert card.parity.passed
    assert card.calibration is not None
    assert card.threshold == model.threshold != 0.5
    assert model.contract == run.contract
    assert card.config_digest == run.settings_digest

    stages = [progress.stage for progress in told]
    assert list(dict.fromkeys(stages)) == ["loading", "search", "finalists", "evaluation", "report"]
    assert told[-1].trials == 4
    assert told[-1].best == best["score"]
    assert {progress.seconds for progress in told if progress.stage == "loading"} == {0.0}
    assert 0 < outcome.seconds <= run.info["spent_s"]

    before, spent = run.ledger.records(), run.info["spent_s"]
    told.clear()
    again = tune(settings(tmp_path, trials=6), told.append, resume=run)
    assert told[0].seconds == spent
    assert again.run == outcome.run
    assert [record for record in run.ledger.records() if record.trial < 4] == before
    assert len(run.trials()) == again.trials == 6
    assert again.seconds > outcome.seconds

    run.update(folds="of an earlier version")
    with pytest.raises(RunError, match="scored on other folds than this version makes"):
        tune(settings(tmp_path, trials=8), resume=run)
    assert len(run.trials()) == 6

    run.update(data={"digest": "of another table"})
    with pytest.raises(RunError, match="another table"):
        tune(settings(tmp_path, trials=8), resume=run)
    assert run.info["state"] == "failed"


@pytest.mark.usefixtures("scratch")
def test_a_search_without_a_winner_says_why(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"2 of 2 failed.*linear could not be fitted"):
        tune(settings(tmp_path, {"model_type": "linear", "params": {"C": -1.0}}, trials=2))
    run = open_run("latest", str(tmp_path / "runs"))
    assert run.info["state"] == "failed"
    assert "linear could not be fitted" in run.info["error"]


def test_a_table_that_cannot_be_read_leaves_no_run(tmp_path: Path) -> None:
    chosen = settings(tmp_path, trials=1)
    chosen.data.path = str(tmp_path / "nothing.csv")
    with pytest.raises(TableUnreadable):
        tune(chosen)
    assert list_runs(chosen.storage.runs) == []
