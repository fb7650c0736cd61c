from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelyard.data import engineer_features, load_data, save_data, scale_features, validate_data_quality
from modelyard.errors import ColumnNotFound, ConfigError, DataError


def test_one_hot_and_standard(people, tmp_path):
    config = {"target_column": "income", "categorical_encoding": "one_hot", "scaling_method": "standard"}
    features = engineer_features(people, config)
    assert features["income"].tolist() == people["income"].tolist()
    assert features["city=Bern"].sum() == (people["city"] == "Bern").sum()
    assert features["age"].mean() == pytest.approx(0, abs=1e-5)
    assert features["age"].std(ddof=0) == pytest.approx(1, abs=1e-5)
    assert features["height"].isna().tolist() == people["height"].isna().tolist()
    assert {"joined.days", "joined.weekday", "seen.month"} <= set(features)
    assert not {"person_id", "ticket", "country", "nothing", "city"} & set(features)
    path = tmp_path / "people.parquet"
    save_data(people, path)
    pd.testing.assert_frame_equal(engineer_features(str(path), config), features)


def test_other_choices(people):
    plain = {"target_column": "income", "scaling_method": "none"}
    ordinal = engineer_features(people, {**plain, "categorical_encoding": "ordinal"})
    assert ordinal["city"].tolist()[:3] == people["city"].map({"Bern": 2, "Ulm": 3, "Graz": 4}).fillna(0).tolist()[:3]
    assert ordinal["age"].tolist() == people["age"].tolist()
    kept = engineer_features(people, {**plain, "categorical_encoding": "none"})
    pd.testing.assert_series_equal(kept["city"], people["city"])
    assert "income=low" in engineer_features(people)


@pytest.mark.parametrize(
    ("config", "error", "expected"),
    [
        ({"target": "income"}, ConfigError, "target: .*did you mean 'target_column'"),
        ({"scaling_method": "standart"}, ConfigError, "'standart' is none of its values; did you mean 'standard'"),
        ({"categorical_encoding": "onehot"}, ConfigError, "did you mean 'one_hot'"),
        ({"target_column": "incme"}, ColumnNotFound, "did you mean 'income'"),
    ],
)
def test_mistakes(people, config, error, expected):
    with pytest.raises(error, match=expected):
        engineer_features(people, config)


def test_nothing_left(people):
    with pytest.raises(DataError, match="no column is left"):
        engineer_features(people[["country", "nothing"]])


@pytest.mark.parametrize(("method", "expected"), [("minmax", [0, 0.5, 1]), ("robust", [-1, 0, 1]), ("none", [1, 2, 3])])
def test_scale_features(method, expected):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [5.0, np.nan, 7.0], "c": ["x", "y", "z"]}, index=[4, 5, 6])
    scaled = scale_features(frame, method, columns=["a"])
    assert scaled["a"].tolist() == expected
    assert scaled["b"].equals(frame["b"])
    assert scaled.index.tolist() == [4, 5, 6]
    assert frame["a"].tolist() == [1, 2, 3]
    assert scale_features(frame, method)["b"].isna().tolist() == [False, True, False]
    with pytest.raises(DataError, match="column 'c' is str, not numeric"):
        scale_features(frame, method, columns=["c"])
    with pytest.raises(ColumnNotFound):
        scale_features(frame, method, columns=["d"])


def test_example_of_the_library_description(people, tmp_path):
    path = tmp_path / "dataset.csv"
    save_data(people.rename(columns={"income": "target"}), path)
    df = load_data(path)
    validation_report = validate_data_quality(df)
    features_df = engineer_features(
        df, config={"target_column": "target", "categorical_encoding": "one_hot", "scaling_method": "standard"}
    )
    assert validation_report.ok
    assert len(features_df) == len(df)
