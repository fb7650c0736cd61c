from __future__ import annotations

import pandas as pd
import pytest

from modelyard.config import load_config
from modelyard.registry.runs import create_run
from served_model import make_table, save_served


@pytest.fixture
def frame(tmp_path):
    """A table as the run below reads it: separated by |, without a header line, ? for null."""
    frame = make_table()
    frame.to_csv(tmp_path / "new.csv", sep="|", header=False, na_rep="?", index=False)
    reading = {"separator": "|", "columns": list(frame.columns), "na_values": ["?"], "path": "old.csv"}
    run = create_run(load_config({"data": reading, "storage": {"runs": str(tmp_path / "runs")}}))
    save_served(tmp_path / "runs" / run.name / "model", frame)
    run.write("summary.json", {"model": "model"})
    return frame


def test_a_table_is_read_as_its_run_was(modelyard, frame, tmp_path):
    done = modelyard("score", "latest", "new.csv", "--output", "out/predictions.csv", "--json")
    assert (done.code, done.document) == (0, {"rows": len(frame), "output": "out/predictions.csv"})
    answers = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert list(answers.columns) == ["target", "prediction", "probability_<=50K", "probability_>50K"]
    assert answers["target"].tolist() == frame["target"].tolist()


def test_settings_win_over_the_runs(modelyard, frame, tmp_path):
    frame.to_csv(tmp_path / "other.csv", sep=";", index=False, header=False)
    assert modelyard("score", "latest", "other.csv", "-o", "p.csv").code == 1
    assert modelyard("score", "latest", "other.csv", "-o", "p.csv", "data.separator=;").code == 0
    assert len(pd.read_csv(tmp_path / "p.csv")) == len(frame)


def test_a_models_folder_knows_no_reading(modelyard, frame, tmp_path):
    (folder,) = tmp_path.glob("runs/*/model")
    done = modelyard("score", str(folder), "new.csv", "-o", "p.csv")
    assert done.code == 1
    assert "column 'age' is missing" in done.sentence
    frame.to_parquet(tmp_path / "new.parquet")
    assert modelyard("score", str(folder), "new.parquet", "-o", "p.csv").code == 0


@pytest.mark.usefixtures("frame")
@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("latest", "nwe.csv", "-o", "p.csv"), 1, "nwe.csv: there is no such file; did you mean 'new.csv'?"),
        (("latset", "new.csv", "-o", "p.csv"), 1, "runs has no run 'latset'"),
        (("latest", "new.csv", "-o", "p.pkl"), 2, "p.pkl: a table cannot be saved as .pkl; save it as CSV (.csv), "),
        (("latest", "new.csv", "-o", "."), 1, ".: cannot be written: "),
        (("latest", "new.csv"), 2, "Missing option '--output' / '-o'; see `modelyard score --help`"),
        (("latest", "new.csv", "-o", "p.csv", "data.separator=ab"), 2, "data.separator: 'ab' is not one character"),
        (("latest", "new.csv", "-o", "p.csv", "data.columns=[a,b]"), 1, "new.csv: its first line has 7 fields"),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(modelyard, tmp_path, arguments, code, sentence):
    before = sorted(tmp_path.rglob("*"))
    done = modelyard("score", *arguments)
    assert done.code == code
    assert done.sentence.startswith(sentence)
    assert sorted(tmp_path.rglob("*")) == before
