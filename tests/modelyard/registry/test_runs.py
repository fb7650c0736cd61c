from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.config.models import Settings
from modelyard.errors import ConfigError, RunError, RunNotFound
from modelyard.registry.ledger import Record
from modelyard.registry.runs import create_run, list_runs, open_run


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"data": {"path": "people.csv"}, "ml": {"seed": 7}, "storage": {"runs": str(tmp_path / "runs")}}
    )


def test_a_run_keeps_its_settings_and_lineage(settings: Settings) -> None:
    run = create_run(settings, "My Table!")
    assert run.name.endswith("-my-table")
    again = open_run(run.name, settings.storage.runs)
    assert again.settings == settings
    assert again.info["state"] == "running"
    assert again.info["seed"] == 7
    assert again.info["data"] == {"source": "people.csv"}
    assert {"python", "modelyard", "numpy"} <= set(again.info["versions"])
    run.update(state="complete", spent_s=1.5)
    assert again.info["state"] == "complete"
    assert again.info["spent_s"] == 1.5


def test_latest_is_the_newest(settings: Settings) -> None:
    runs = [create_run(settings, label) for label in ("b", "a")]
    assert list_runs(settings.storage.runs) == sorted(run.name for run in runs)
    assert open_run("latest", settings.storage.runs).name == max(run.name for run in runs)


def test_runs_of_one_moment_have_different_names(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import datetime as dt

    class Stopped(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Stopped:
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr("modelyard.registry.runs.dt.datetime", Stopped)
    names = [create_run(settings, "x").name for _ in range(3)]
    assert names == ["20260102-030405-000-x", "20260102-030405-000-x-2", "20260102-030405-000-x-3"]


def test_a_run_that_is_not_there_is_named_with_the_nearest(settings: Settings) -> None:
    with pytest.raises(RunNotFound, match="there is none"):
        open_run("latest", settings.storage.runs)
    name = create_run(settings, "adult").name
    with pytest.raises(RunNotFound, match=name):
        open_run(name + "x", settings.storage.runs)


def test_settings_come_back_as_they_were(settings: Settings) -> None:
    data = {"target": "no", "columns": ["1e3", "${x}", "2024-01-01"], "na_values": ["?", "null"]}
    settings = Settings.model_validate({**settings.model_dump(), "data": data})
    assert create_run(settings).settings == settings


def test_damaged_files_are_named(settings: Settings) -> None:
    run = create_run(settings)
    run.storage.write("config.yaml", "ml: {folds: 1}\n")
    with pytest.raises(ConfigError, match=r"ml\.folds: should be .*config\.yaml, line 1"):
        _ = run.settings
    run.storage.write("run.json", '{"state": ')
    with pytest.raises(RunError, match=r"run\.json is not JSON: .*restore it"):
        _ = run.info


def test_a_file_that_is_not_there_yet_is_a_run_error(settings: Settings) -> None:
    with pytest.raises(RunError, match=r"no summary\.json yet"):
        _ = create_run(settings).summary


def test_a_trial_that_its_run_left_was_interrupted(settings: Settings) -> None:
    run = create_run(settings)
    shared = {"algorithm": "linear", "params": {"C": 1.0}, "started_at": "2026-01-01T00:00:00+00:00"}
    run.ledger.append(Record(trial=0, rung=0, state="running", score=0.5, seconds=1.0, **shared))
    run.ledger.append(Record(trial=1, rung=0, state="failed", error="it broke", **shared))
    assert [trial["state"] for trial in run.trials()] == ["running", "failed"]
    run.update(state="interrupted")
    first, second = run.trials()
    assert first == {
        "id": 0,
        "state": "interrupted",
        "score": 0.5,
        "seconds": 1.0,
        "started_at": "2026-01-01T00:00:00+00:00",
        "algorithm": "linear",
        "params": {"C": 1.0},
        "rung": 0,
        "error": None,
    }
    assert second["error"] == "it broke"


@pytest.mark.parametrize("root", ["", "/somewhere/else/", "s3://bucket/runs/x/"])
def test_a_summary_names_places_of_its_own_run(tmp_path: Path, root: str) -> None:
    run = create_run(Settings.model_validate({"storage": {"runs": str(tmp_path)}}), name="a")
    run.write("summary.json", {"folder": root, "model": f"{root}model", "report": f"{root}report.html", "score": 1})
    places = {"folder": run.folder, "model": f"{run.folder}/model", "report": f"{run.folder}/report.html"}
    assert run.summary == {**places, "score": 1}


@pytest.mark.parametrize("name", ["..", "../..", "/", "model/..", ".ssh"])
def test_a_summary_cannot_point_outside_of_its_run(tmp_path: Path, name: str) -> None:
    run = create_run(Settings.model_validate({"storage": {"runs": str(tmp_path)}}), name="a")
    run.write("summary.json", {"model": name})
    with pytest.raises(RunError, match=r"summary\.json: model names nothing in the run's folder"):
        _ = run.summary


@pytest.mark.parametrize("content", ["[]", "null", "[" * 100_000])
def test_a_strange_document_of_a_run_is_one_sentence(tmp_path: Path, content: str) -> None:
    run = create_run(Settings.model_validate({"storage": {"runs": str(tmp_path)}}), name="a")
    run.storage.write("run.json", content)
    with pytest.raises(RunError, match=r"run\.json (is not JSON: it is nested too deeply|holds no JSON object)"):
        _ = run.info


def test_an_alias_bomb_in_a_runs_settings_is_refused(tmp_path: Path) -> None:
    run = create_run(Settings.model_validate({"storage": {"runs": str(tmp_path)}}), name="a")
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    run.storage.write("config.yaml", "\n".join(["a0: &a0 [x, x]", *levels]))
    with pytest.raises(ConfigError, match=r"config\.yaml: is not YAML: it has more than .* aliases written out"):
        _ = run.settings
