from __future__ import annotations

import pytest

from modelyard.config import load_config
from modelyard.registry.ledger import Record
from modelyard.registry.runs import create_run


@pytest.mark.usefixtures("table")
def test_init_then_check(modelyard, tmp_path):
    done = modelyard("init", "project", "--json")
    written = ["project/README.md", "project/.gitignore", "project/conf/config.yaml"]

    assert (done.code, done.document) == (0, {"project": "project", "written": written})
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        [*written, "people.csv"]
    )

    asked = ("check", "--config-dir", "project/conf", "data.path=people.csv", "data.target=bought", "data.quote='")
    done = modelyard(*asked, "data.na_values=[?]", "--json")
    assert (done.code, done.err) == (0, "")
    document = done.document
    assert (document["ok"], document["rows"]) == (True, 81)
    columns = {column["name"]: column["kind"] for column in document["contract"]["columns"]}
    assert columns == {"age": "numeric", "city": "categorical", "income of 2024?": "numeric"}
    assert document["contract"]["target"]["classes"] == ["yes", "no"]

    done = modelyard(*asked, "data.na_values=[?]")
    assert (done.code, done.err) == (0, "")
    assert "people.csv: 81 rows, target bought (binary, yes < no)" in done.out
    assert "Köln, Bonn" in done.out


def test_check_ends_with_1_where_nothing_can_be_learnt(modelyard, tmp_path):
    (tmp_path / "t.csv").write_text("a,target\n" + "".join(f"{row % 7},{row == 5}\n" for row in range(40)))
    done = modelyard("check", "data.path=t.csv", "--json")

    assert (done.code, done.document["ok"]) == (1, False)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("override", ["data.target=bough", "data.path=peple.csv"])
def test_check_names_the_nearest_of_what_is_not_there(modelyard, override):
    done = modelyard("check", "data.path=people.csv", "data.target=bought", override)

    assert done.code == 1
    assert "did you mean" in done.sentence


def test_init_leaves_what_is_there(modelyard, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    assert modelyard("init", ".").code == 0
    assert (tmp_path / "README.md").read_text() == "mine"
    config = (tmp_path / "conf" / "config.yaml").read_text()

    done = modelyard("init", ".")
    assert (done.code, done.sentence) == (2, "conf holds a configuration already; edit it, or choose another folder")
    assert (tmp_path / "conf" / "config.yaml").read_text() == config

    done = modelyard("init", "README.md")
    assert done.code == 2
    assert done.sentence.startswith("README.md cannot be a project")


def test_a_new_project_knows_no_run(modelyard):
    modelyard("init", ".")

    assert modelyard("runs", "--json").document == {"storage": "runs", "runs": []}
    assert "modelyard run" in modelyard("runs").out
    done = modelyard("show", "--json")
    assert (done.code, done.document["error"]["type"]) == (1, "RunNotFound")
    assert modelyard("show", "storage.runs=elsewhere").sentence.startswith("elsewhere has no run 'latest'")
    assert modelyard("verify").code == 1


@pytest.fixture
def searched(tmp_path):
    """A run with two trials, one of which failed, and no winner yet."""
    settings = load_config({"data": {"path": "people.csv"}, "storage": {"runs": str(tmp_path / "runs")}})
    run = create_run(settings, "people")
    common = {"rung": 0, "algorithm": "linear", "params": {"C": 1.0}, "seconds": 1.5}
    run.ledger.append(Record(trial=0, state="complete", score=0.9, started_at="2026-01-02T03:04:05+00:00", **common))
    run.ledger.append(Record(trial=1, state="failed", error="no memory", **common))
    return run


def test_runs_and_show_say_what_was_searched(modelyard, searched):
    (listed,) = modelyard("runs", "--json").document["runs"]
    assert (listed["run"], listed["state"], listed["data"]) == (searched.name, "running", "people.csv")
    assert searched.name in modelyard("runs").out

    document = modelyard("show", "latest", "--json").document
    assert (document["run"], document["state"]) == (searched.name, "running")
    assert [(trial["id"], trial["state"], trial["score"]) for trial in document["trials"]] == [
        (0, "complete", 0.9),
        (1, "failed", None),
    ]
    assert {"seconds", "started_at"} <= set(document["trials"][0])
    assert "2026-01-02 03:04" in modelyard("show", searched.name).out


def test_a_trial_that_was_interrupted_is_shown_apart(modelyard, searched):
    searched.ledger.append(Record(trial=2, rung=0, state="running", score=0.8, algorithm="linear", params={}))
    assert len(modelyard("show", "--json").document["trials"]) == 3
    searched.update(state="complete")
    document = modelyard("show", "--json").document
    assert [trial["id"] for trial in document["trials"]] == [0, 1]
    assert [trial["id"] for trial in document["interrupted_trials"]] == [2]
    assert "interrupted trials" in modelyard("show").out


def test_a_damaged_run_is_named_and_hides_no_other(modelyard, searched):
    searched.write("summary.json", {"score": 1})
    assert modelyard("pack").sentence.endswith("summary.json names no model; restore it, or search again")
    searched.storage.write("run.json", "{")
    (listed,) = modelyard("runs", "--json").document["runs"]
    assert (listed["run"], listed["state"], listed["score"]) == (searched.name, "damaged", None)
    assert "run.json is not JSON" in modelyard("show").sentence


def test_a_run_that_is_not_there_or_not_done_cannot_be_used(modelyard, searched):
    assert "did you mean" in modelyard("show", searched.name[:-1]).sentence
    assert modelyard("pack").sentence.startswith(f"run {searched.name} has no summary.json yet")
    assert modelyard("score", "latest", "people.csv", "--output", "p.csv").code == 1
    assert modelyard("tune", "--resume", "nothing").sentence.startswith("runs has no run 'nothing'")
    assert modelyard("run").sentence.startswith("data.path: there is no table yet")
