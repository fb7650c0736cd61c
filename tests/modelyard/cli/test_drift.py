from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry

from modelyard.config.models import PredictionLogSettings
from modelyard.models.artifact import load_model
from modelyard.monitoring.prediction_log import PredictionLog
from served_model import make_table, save_served


@pytest.fixture
def frame(tmp_path):
    """A model in the working directory, and the table that it was made of."""
    frame = make_table(rows=480)
    save_served(tmp_path / "model", frame)
    frame.to_csv(tmp_path / "same.csv", index=False)
    moved = frame.assign(age=frame["age"] + 60)
    moved["model_config"] = moved["model_config"].replace("Private", "never seen")
    moved.to_csv(tmp_path / "moved.csv", index=False)
    return frame


def columns(done):
    assert done.code == 0, done.sentence
    (contract,) = done.document["contracts"]
    return {one["column"]: one for one in contract["columns"]}


def test_the_rows_of_training_have_not_moved(modelyard, frame):
    found = columns(modelyard("drift", "model", "same.csv", "--json"))
    assert {one["level"] for one in found.values()} == {"stable"}
    assert found["age"]["rows"] == len(frame)
    assert found["education-num"]["missing"] == pytest.approx(frame["education-num"].isna().mean())


def test_columns_that_moved_stand_first_and_say_how(modelyard, frame):
    done = modelyard("drift", "model", "moved.csv", "--json")
    found = columns(done)
    assert set(list(found)[:2]) == {"age", "model_config"}
    assert found["age"]["level"] == found["model_config"]["level"] == "drifted"
    assert found["model_config"]["unseen"] == pytest.approx((frame["model_config"] == "Private").mean())
    assert found["education-num"]["level"] == "stable"
    printed = modelyard("drift", "model", "moved.csv", "--column", "age").out
    assert "drifted" in printed
    assert "(null)" in printed
    assert "█" in printed


def test_predictions_are_compared_where_the_card_knows_them(modelyard, frame, tmp_path):
    assert "(prediction)" not in columns(modelyard("drift", "model", "same.csv", "--json"))
    save_served(tmp_path / "known", frame, predicted=(0.9, 0.1))
    predicted = load_model(tmp_path / "known").predict(frame)
    found = columns(modelyard("drift", "known", "same.csv", "--json"))["(prediction)"]
    assert {cell["bin"]: cell["rows"] for cell in found["cells"]} == pd.Series(predicted).value_counts().to_dict()
    assert [cell["expected"] for cell in found["cells"]] == [0.9, 0.1]


def test_a_log_is_read_as_the_service_counted_it(modelyard, frame, tmp_path):
    save_served(tmp_path / "known", frame, predicted=(0.5, 0.5))
    write_log(tmp_path / "known", tmp_path / "log", frame, redact=["age"])
    found = columns(modelyard("drift", "known", "log", "--json"))
    assert "age" not in found
    assert found["education-num"]["level"] == "stable"
    # predictions are the log's, since the model could not make them without a column
    assert [cell["rows"] for cell in found["(prediction)"]["cells"]] == [0, len(frame)]
    write_log(tmp_path / "known", tmp_path / "whole", frame)
    assert modelyard("score", "known", "whole", "--output", "scored.csv").code == 0
    scored = pd.read_csv(tmp_path / "scored.csv")
    assert scored["prediction"].tolist() == load_model(tmp_path / "known").predict(frame).tolist()


def write_log(model, folder, frame, **settings):
    loaded = load_model(model)
    log = PredictionLog(PredictionLogSettings(url=str(folder), **settings), loaded, CollectorRegistry())
    matrix = loaded.encode(frame)
    log.add(b"", matrix, np.tile(np.float32([0.1, 0.9]), (len(frame), 1)))
    log.close()


def test_few_rows_have_an_interval_and_no_level(modelyard, frame, tmp_path):
    frame[:3].to_csv(tmp_path / "few.csv", index=False)
    found = columns(modelyard("drift", "model", "few.csv", "--json", "--fail-on", "moved"))
    assert {one["level"] for one in found.values()} == {None}
    assert found["age"]["index"] > 1
    assert found["age"]["interval"][0] < found["age"]["index"]
    assert found["age"]["least_rows"] == 260
    assert "not enough rows, at least 260" in modelyard("drift", "model", "few.csv").out


@pytest.mark.usefixtures("frame")
def test_a_pipeline_fails_at_the_level_that_it_names(modelyard):
    for level in ("moved", "drifted"):
        assert modelyard("drift", "model", "same.csv", "--fail-on", level).code == 0
        done = modelyard("drift", "model", "moved.csv", "--json", "--fail-on", level)
        assert done.code == 1
        assert done.sentence == f"2 of 6 columns have {level} or more: 'age', 'model_config'"
        assert done.document["contracts"]
    assert modelyard("drift", "model", "moved.csv", "--fail-on", "stable").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "name a model and a table"),
        (["model"], 2, "name a model and a table"),
        (["--prometheus", "http://127.0.0.1:9"], 2, "--prometheus needs --release NAME"),
        (
            ["--prometheus", "http://127.0.0.1:9", "--release", "a"],
            1,
            "Prometheus at http://127.0.0.1:9: gives no answer",
        ),
        (["model", "same.csv", "--column", "agee"], 2, "there is no column 'agee'; did you mean 'age'?"),
        (["model", "none.csv"], 1, "none.csv"),
    ],
)
@pytest.mark.usefixtures("frame")
def test_a_wrong_call_is_told_so(modelyard, arguments, code, sentence):
    done = modelyard("drift", *arguments)
    assert done.code == code
    assert sentence in done.sentence
