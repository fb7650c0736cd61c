from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from modelyard.config.models import Settings
from modelyard.errors import RunError
from modelyard.registry.runs import create_run
from modelyard.registry.storage import Storage
from modelyard.registry.transfer import fetch_run, upload_once


def test_a_fetched_run_is_like_one_that_was_made_here(tmp_path: Path) -> None:
    settings = Settings.model_validate({"storage": {"runs": f"memory://{uuid.uuid4().hex}/runs"}})
    run = create_run(settings, name="weekly-1")
    places = {"folder": ".", "model": "model", "report": "report.html"}
    run.write("summary.json", {"run": run.name, **places})
    run.storage.write("lease/000001.json", "{}")
    home = tmp_path / "weekly-1"
    fetch_run(run, tmp_path)
    (home / "of the first copy").touch()
    copy = fetch_run(run, tmp_path)
    assert not (home / "of the first copy").exists()
    assert copy.folder == str(home)
    assert copy.summary == {
        "run": "weekly-1",
        "folder": str(home),
        "model": str(home / "model"),
        "report": str(home / "report.html"),
    }
    assert copy.settings == settings
    assert not (home / "lease").exists()
    assert list(tmp_path.iterdir()) == [home]
    assert run.summary["model"] == f"{run.folder}/model", "the original stays as it was"


def test_a_run_without_a_winner_is_fetched_too(tmp_path: Path) -> None:
    settings = Settings.model_validate({"storage": {"runs": f"memory://{uuid.uuid4().hex}/runs"}})
    assert fetch_run(create_run(settings, name="a"), tmp_path).info["state"] == "running"


def test_a_fetch_that_breaks_off_leaves_the_copy_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_: Storage, folder: Path) -> None:
        (folder / "summary.json").touch()
        raise RunError("the storage went away")

    settings = Settings.model_validate({"storage": {"runs": f"memory://{uuid.uuid4().hex}/runs"}})
    run = create_run(settings, name="a")
    home = Path(fetch_run(run, tmp_path).folder)
    monkeypatch.setattr(Storage, "download", cut)
    with pytest.raises(RunError):
        fetch_run(run, tmp_path)
    assert list(tmp_path.iterdir()) == [home]
    assert (home / "run.json").is_file()


def test_the_same_content_under_two_names_is_there_twice() -> None:
    storage = Storage(f"memory://{uuid.uuid4().hex}")
    first, second = (upload_once(b"1", name, storage, "tables") for name in ("a.csv", "b.csv"))
    assert first.rpartition("/")[0] == second.rpartition("/")[0]
    assert storage.list("tables/" + first.split("/")[-2]) == ["a.csv", "b.csv"]
