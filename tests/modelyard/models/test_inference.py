from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelyard.data.loading import load_data, save_data
from modelyard.errors import ContractViolation, UsageError
from modelyard.models.inference import batch_predict


def test_keys_are_kept_and_probabilities_are_named(make_model) -> None:
    model, frame = make_model("multiclass")
    frame.index = frame.index + 1000
    answer = batch_predict(model, frame, chunk_rows=7)
    assert list(answer.columns) == [
        "order",
        "size",
        "prediction",
        *(f"probability_{c}" for c in model.classes_),
    ]
    assert answer.index.equals(frame.index)
    assert answer["order"].equals(frame["order"])
    np.testing.assert_array_equal(answer["prediction"], model.predict(frame))
    np.testing.assert_allclose(answer.filter(like="probability_").sum(axis=1), 1.0, atol=1e-5)


def test_values_have_one_column(make_model) -> None:
    model, frame = make_model("regression")
    answer = batch_predict(model, frame.drop(columns=["hours"]))
    assert list(answer.columns) == ["order", "prediction"]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_folder_and_files_in_and_out(parts, tmp_path, ending) -> None:
    folder = parts.save(tmp_path / "m")
    source, target = tmp_path / f"rows.{ending}", tmp_path / f"out.{ending}"
    save_data(parts.frame, source)
    answer = batch_predict(folder, source, output=target)
    expected = batch_predict(folder, parts.frame)
    np.testing.assert_allclose(answer["probability_yes"], expected["probability_yes"], atol=1e-6)
    written = load_data(target)
    assert written["order"].tolist() == parts.frame["order"].tolist()
    assert written["prediction"].tolist() == answer["prediction"].tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["m", source.name, target.name])


def test_the_threshold_of_the_model_decides(parts, tmp_path) -> None:
    answer = batch_predict(parts.save(tmp_path / "m"), parts.frame)
    assert ((answer["probability_yes"] > 0.4) == (answer["prediction"] == "yes")).all()


def test_an_error_names_the_tables_own_row_and_writes_nothing(parts, tmp_path) -> None:
    frame = parts.frame.astype({"weight": object})
    frame.loc[150, "weight"] = "heavy"
    with pytest.raises(ContractViolation, match="column 'weight', row 151: 'heavy' is not a number"):
        batch_predict(parts.save(tmp_path / "m"), frame, output=tmp_path / "out.csv", chunk_rows=10)
    assert not (tmp_path / "out.csv").exists()


def test_tables_that_cannot_be_answered(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    with pytest.raises(ContractViolation, match="column 'pieces' is missing"):
        batch_predict(folder, parts.frame.drop(columns=["pieces"]))
    with pytest.raises(UsageError, match="column 'prediction', which the answer needs"):
        batch_predict(folder, parts.frame.assign(prediction=1))
    with pytest.raises(UsageError, match="no rows"):
        batch_predict(folder, pd.DataFrame(columns=parts.frame.columns))
    with pytest.raises(UsageError, match=r"out\.pkl: a table cannot be saved as \.pkl"):
        batch_predict("nowhere", parts.frame, output=tmp_path / "out.pkl")
    with pytest.raises(UsageError, match="chunk_rows is 0"):
        batch_predict(folder, parts.frame, chunk_rows=0)
