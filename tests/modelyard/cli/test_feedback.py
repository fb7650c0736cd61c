from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from modelyard.config.models import Settings
from modelyard.models.artifact import load_model
from modelyard_bentos.client import Server
from served_model import json_rows, make_table, save_served

FRAME = make_table()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    key = folder / "key"
    key.write_text("0123456789abcdef")
    settings = Settings.model_validate({"serving": {"feedback_key_file": str(key), "max_rows": 50}})
    with Server(save_served(folder / "people", FRAME), settings) as running:
        yield running


@pytest.fixture
def outcomes(server: Server) -> pd.DataFrame:
    """The first 40 rows' ids and outcomes."""
    contract = load_model(server.target).contract
    told = server.predict(json_rows(FRAME, contract)[:40])
    return pd.DataFrame({"id": [one["id"] for one in told], "actual": FRAME["target"][:40]})


def counted(server: Server) -> float:
    lines = httpx.get(f"{server.url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("modelyard_feedback_rows_total"))


def test_a_table_of_outcomes_is_counted(modelyard, server: Server, outcomes: pd.DataFrame, tmp_path: Path) -> None:
    before = counted(server)
    outcomes = outcomes.copy()
    outcomes.loc[3, "actual"] = None
    outcomes.to_csv(tmp_path / "outcomes.csv", index=False)
    done = modelyard("feedback", "outcomes.csv", "--url", server.url, "--batch", "7", "--json")
    assert done.code == 0, done.err
    assert done.document == {"counted": 39, "repeated": 0, "without_outcome": 1}
    again = modelyard("feedback", "outcomes.csv", "--url", server.url, "--json")
    assert again.document == {"counted": 0, "repeated": 39, "without_outcome": 1}
    assert counted(server) - before == 39


def test_what_is_refused_is_named_and_the_rest_counted(
    modelyard, server: Server, outcomes: pd.DataFrame, tmp_path: Path
) -> None:
    before = counted(server)
    renamed = outcomes.rename(columns={"id": "prediction", "actual": "was"})
    renamed.loc[4, "prediction"] = "forged"
    renamed.loc[5, "prediction"] = None
    renamed.loc[12, "was"] = "maybe"
    renamed.to_csv(tmp_path / "outcomes.csv", index=False)
    options = ("--url", server.url, "--id", "prediction", "--actual", "was", "--batch", "10")
    done = modelyard("feedback", "outcomes.csv", *options)
    assert done.code == 1
    assert done.sentence == (
        f"{server.url} counted 37 outcomes and refused 3: "
        "row 5: is no id of a prediction; row 6: is no id of a prediction; row 13: is not one of <=50K, >50K"
    )
    assert counted(server) - before == 37


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--id", "idd"], 2, "outcomes.csv has no column 'idd'; did you mean 'id'?"),
        (["--url", "http://127.0.0.1:9"], 1, "http://127.0.0.1:9/api/v1/feedback gives no answer"),
        (["--batch", "60"], 1, "60 outcomes are more than 50; send several requests"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(
    modelyard, server: Server, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    pd.DataFrame({"id": ["x"] * 60, "actual": "yes"}).to_csv(tmp_path / "outcomes.csv", index=False)
    done = modelyard("feedback", "outcomes.csv", "--url", server.url, *arguments)
    assert done.code == code
    assert sentence in done.sentence
