from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from modelyard.data import (
    FeatureEngineer,
    engineer_features,
    load_data,
    save_data,
    scale_features,
    validate_data_quality,
)
from modelyard.errors import ColumnNotFound, ConfigError, DataError
from modelyard.models.training import train_model


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


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal", "none"])
@pytest.mark.parametrize("scaling", ["standard", "minmax", "robust", "none"])
def test_other_rows_get_the_columns_and_scales_of_the_fitted_ones(people, encoding, scaling):
    engineer = FeatureEngineer("income", encoding, scaling).fit(people)
    whole = engineer.transform(people)
    pd.testing.assert_frame_equal(whole, engineer.fit_transform(people))
    pd.testing.assert_frame_equal(whole.iloc[5:8], engineer.transform(people.iloc[5:8]))
    without = engineer.transform(people.iloc[5:8].drop(columns="income"))
    pd.testing.assert_frame_equal(without, whole.iloc[5:8].drop(columns="income"))
    assert list(without) == engineer.get_feature_names_out().tolist()


def test_unknown_categories_are_zero_and_nulls_stay_null():
    engineer = FeatureEngineer().fit(pd.DataFrame({"a": ["u", "v", "u"], "b": [1.0, 2.0, 3.0]}))
    row = engineer.transform(pd.DataFrame({"a": ["w"], "b": [None]}))
    assert row.iloc[0, :2].tolist() == [0, 0]
    assert np.isnan(row["b"].iloc[0])


@pytest.mark.parametrize("scaling", ["standard", "minmax", "robust", "none"])
def test_an_infinity_costs_its_own_value_alone(scaling):
    rng = np.random.default_rng(0)
    known = pd.DataFrame({"a": rng.normal(size=50), "b": rng.normal(size=50)})
    holed, infinite = known.copy(), known.copy()
    holed.loc[[3, 4], "a"] = np.nan
    infinite.loc[[3, 4], "a"] = [np.inf, -np.inf]
    config = {"scaling_method": scaling}
    pd.testing.assert_frame_equal(engineer_features(infinite, config), engineer_features(holed, config))
    if scaling != "none":
        pd.testing.assert_frame_equal(scale_features(infinite, scaling), scale_features(holed, scaling))
    engineer = FeatureEngineer(scaling_method=scaling).fit(known)
    assert engineer.transform(infinite).isna().sum().tolist() == [2, 0]


def test_the_transformer_is_one_of_scikit_learns(people):
    engineer = FeatureEngineer("income", scaling_method="minmax")
    assert clone(engineer).get_params() == engineer.get_params()
    with pytest.raises(NotFittedError):
        engineer.transform(people)
    restored = pickle.loads(pickle.dumps(engineer.fit(people)))
    pd.testing.assert_frame_equal(restored.transform(people), engineer.transform(people))
    assert (engineer.n_features_in_, engineer.feature_names_in_.tolist()) == (len(people.columns), list(people))
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=80), "b": rng.choice(["u", "v"], 80)})
    pipeline = make_pipeline(FeatureEngineer(), LogisticRegression()).fit(X, X["b"] == "u")
    assert pipeline.score(X, X["b"] == "u") == 1.0
    assert pipeline[:-1].get_feature_names_out().tolist() == list(FeatureEngineer().fit_transform(X))


def test_the_transformer_takes_arrays():
    X = np.column_stack([np.arange(30.0), np.ones(30)])
    assert FeatureEngineer(scaling_method="none").fit_transform(X).to_numpy().tolist() == X.tolist()


def test_one_mapping_configures_features_and_training():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.choice(["u", "v"], 80)})
    frame["label"] = np.where(frame["a"] > 0, "yes", "no")
    config = {
        "target_column": "label",
        "categorical_encoding": "ordinal",
        "scaling_method": "robust",
        "model": {"model_type": "linear"},
        "ml": {"seed": 3},
    }
    features = engineer_features(frame, config)
    assert list(features) == ["a", "b", "label"]
    model = train_model(features, config)
    assert (model.contract.names, model.contract.target.name) == (("a", "b"), "label")
    by_group = engineer_features(frame, {"data": {"target": "label"}, "model.model_type": "linear"})
    assert list(by_group)[-1] == "label"
