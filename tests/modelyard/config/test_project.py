from __future__ import annotations

import logging
from functools import reduce
from pathlib import Path

import pytest

from modelyard.config import ConfigManager, Settings, load_config
from modelyard.config.project import PATHS
from modelyard.config.schema import dotted, fields

TRIALS = "tuning: {trials: 7}\n"


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)


def test_conf_is_found_above_the_working_directory_and_logged(project, tmp_path, monkeypatch, caplog):
    conf = project({"config.yaml": TRIALS})
    enter(tmp_path / "notebooks" / "first", monkeypatch)
    with caplog.at_level(logging.INFO, "modelyard"):
        assert load_config().tuning.trials == 7

    assert caplog.messages == [f"settings: {conf}"]
    assert ConfigManager().config_dir == conf


def test_the_nearest_conf_is_used(project, tmp_path, monkeypatch):
    project({"config.yaml": TRIALS})
    inner = tmp_path / "inner"
    enter(inner / "deeper", monkeypatch)
    (inner / "conf").mkdir()
    assert load_config().tuning.trials == 7  # a conf/ without a config.yaml is none of ours

    (inner / "conf" / "config.yaml").write_text("tuning: {trials: 8}\n")
    assert load_config().tuning.trials == 8


def test_the_search_ends_at_the_root_of_a_repository(project, tmp_path, monkeypatch, caplog):
    project({"config.yaml": TRIALS})
    enter(tmp_path / "repository" / "deeper", monkeypatch)
    (tmp_path / "repository" / ".git").mkdir()
    with caplog.at_level(logging.INFO, "modelyard"):
        assert load_config().tuning.trials is None
    assert caplog.messages == ["settings: packaged defaults"]

    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    (tmp_path / "repository" / ".git").rmdir()
    assert load_config().tuning.trials == 7


def test_a_folder_that_everybody_may_write_to_is_not_searched(project, tmp_path, monkeypatch):
    project({"config.yaml": TRIALS})
    tmp_path.chmod(0o1777)
    assert load_config().tuning.trials == 7
    enter(tmp_path / "deeper", monkeypatch)
    assert load_config().tuning.trials is None


def test_relative_paths_of_files_start_from_the_project_and_those_of_overrides_from_here(
    project, tmp_path, monkeypatch
):
    project({"config.yaml": "data: {path: a.csv}\ncluster: {wheels: [w.whl, /b.whl]}\nserving: {keys_file: s3://k}\n"})
    assert load_config().data.path == "a.csv"
    enter(tmp_path / "deeper", monkeypatch)
    for overrides in (
        {"data": {"test_path": "b.csv"}, "storage.models": "m"},
        ["data.test_path=b.csv", "storage.models=m"],
    ):
        config = load_config(overrides)
        assert config.data.path == str(tmp_path / "a.csv")
        assert config.storage.runs == str(tmp_path / "runs")
        assert config.cluster.wheels == [str(tmp_path / "w.whl"), "/b.whl"]
        assert config.serving.keys_file == "s3://k"
        assert (config.data.test_path, config.storage.models) == ("b.csv", "m")
        assert config.data.contract is None


def test_every_path_is_a_setting_and_every_setting_of_a_file_is_a_path():
    for key in PATHS:
        reduce(getattr, key, Settings())
    of_files = {
        key for key, field in fields() if (field.description or "").startswith(("File", "Folder", "Values file"))
    }
    assert of_files <= set(PATHS), [dotted(key) for key in of_files - set(PATHS)]


def test_a_working_directory_that_was_deleted_has_no_project(tmp_path, monkeypatch):
    enter(tmp_path / "gone", monkeypatch)
    (tmp_path / "gone").rmdir()
    assert ConfigManager().config_dir is None
