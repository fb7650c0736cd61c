from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import DataSettings
from modelyard.data.inference import infer_contract
from modelyard.errors import ColumnNotFound, DataError, PluginNotFound, TrainingError, UsageError
from modelyard.models.folds import Rung
from modelyard.models.training import (
    Configuration,
    evaluate_configuration,
    fit_rows,
    hyperparameter_tuning,
    train_model,
)
from modelyard.plugins.registry import get_trainer


@pytest.fixture
def folds(make_model, make_folds_of):
    model, frame = make_model("binary")
    return make_folds_of(frame, model.contract)


def test_one_fold_then_all_gives_what_all_at_once_gives(folds) -> None:
    config = Configuration("lightgbm", {"n_estimators": 20, "num_leaves": 7})
    first = evaluate_configuration(config, folds, Rung(1.0, 1))
    later = evaluate_configuration(config, folds, Rung(1.0, 3), before=first)
    whole = evaluate_configuration(config, folds, Rung(1.0, 3))
    assert later.fold_scores == whole.fold_scores
    assert later.fold_scores[:1] == first.fold_scores
    assert later.rounds == whole.rounds
    assert later.cost == pytest.approx(whole.cost)
    np.testing.assert_allclose(later.predictions, whole.predictions, atol=1e-6)


def test_predictions_are_out_of_fold_and_nan_where_no_split_validated(folds) -> None:
    config = Configuration("linear")
    one = evaluate_configuration(config, folds, Rung(1.0, 1))
    known = np.isfinite(one.predictions[0]).all(axis=1)
    assert set(np.flatnonzero(known)) == set(folds.splits[0][1])
    every = evaluate_configuration(config, folds, Rung(1.0, 3))
    np.testing.assert_allclose(every.predictions.sum(axis=2), 1.0, atol=1e-5)
    assert every.score == pytest.approx(np.mean(every.fold_scores))


def test_a_share_of_the_rows_is_scored_on_the_same_rows(folds) -> None:
    few = evaluate_configuration(Configuration("linear"), folds, Rung(0.25, 1))
    all_rows = evaluate_configuration(Configuration("linear"), folds, Rung(1.0, 1))
    assert few.score != all_rows.score
    assert np.array_equal(np.isnan(few.predictions), np.isnan(all_rows.predictions))


def test_evaluation_is_repeatable(folds) -> None:
    config = Configuration("random_forest", {"n_estimators": 10})
    first, again = (evaluate_configuration(config, folds, Rung(1.0, 2)) for _ in range(2))
    assert first.fold_scores == again.fold_scores


def test_repetitions_keep_each_fits_predictions(make_model, make_folds_of) -> None:
    model, frame = make_model("regression")
    folds = make_folds_of(frame, model.contract, repeats=2)
    whole = evaluate_configuration(Configuration("linear"), folds, Rung(1.0, 6))
    before = evaluate_configuration(Configuration("linear"), folds, Rung(1.0, 4))
    later = evaluate_configuration(Configuration("linear"), folds, Rung(1.0, 6), before=before)
    np.testing.assert_allclose(later.predictions, whole.predictions, rtol=1e-5)
    assert whole.predictions.shape == (2, len(folds.y))
    assert np.isfinite(whole.predictions).all()
    train, valid = folds.splits[4]
    fitted = fit_rows(get_trainer("linear"), {}, folds, train)
    np.testing.assert_allclose(whole.predictions[1, valid], fitted.pipeline.predict(folds.X[valid]), rtol=1e-5)


@pytest.mark.parametrize(("mean", "dtype"), [(0.0, np.float32), (1e7, np.float64)])
def test_out_of_fold_predictions_and_scores_are_in_the_unit_of_the_target(
    mean, dtype, make_model, make_folds_of
) -> None:
    model, frame = make_model("regression")
    name = model.contract.target.name
    y = frame[name].to_numpy(float)
    frame[name] = mean + (y - y.mean()) / y.std()
    folds = make_folds_of(frame, infer_contract(frame, DataSettings(target=name)))
    evaluation = evaluate_configuration(Configuration("hist_gradient_boosting"), folds, Rung(1.0, 3))
    assert evaluation.predictions.dtype == dtype
    rmse = float(np.sqrt(np.mean((evaluation.predictions - folds.y) ** 2)))
    assert evaluation.score == pytest.approx(rmse, rel=0.05)
    assert rmse < 0.7


def test_a_target_far_from_0_is_learned_as_well_as_one_around_0() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    z = X.a.to_numpy() + 0.2 * rng.normal(size=300)
    scores = []
    for y in (z, 1.7e9 + z):
        model, results = hyperparameter_tuning(X, y, model_type="lightgbm", param_grid={"num_leaves": [7]}, folds=3)
        scores.append(results.best_score)
        assert np.corrcoef(model.predict(X), y)[0, 1] > 0.95
        assert abs(model.predict(X) - y).max() < 2
    assert scores[1] == pytest.approx(scores[0], rel=0.01)


def test_a_loss_of_the_target_s_own_unit_is_refused_in_a_sentence(make_model, make_folds_of) -> None:
    model, frame = make_model("regression")
    folds = make_folds_of(frame, model.contract)
    with pytest.raises(
        TrainingError, match=r"lightgbm could not be fitted: objective='poisson' needs the target in its"
    ):
        fit_rows(get_trainer("lightgbm"), {"objective": "poisson"}, folds)


def test_a_parameter_that_the_library_refuses_names_the_trainer(folds) -> None:
    with pytest.raises(TrainingError, match="random_forest could not be fitted"):
        fit_rows(get_trainer("random_forest"), {"n_estimators": -3}, folds)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_train_model_predicts_labels_of_the_table(make_model, task) -> None:
    model, frame = make_model(task, "random_forest")
    target = frame[model.contract.target.name]
    answers = model.predict(frame)
    if task == "regression":
        assert np.corrcoef(answers, target)[0, 1] > 0.8
    else:
        assert set(answers) <= set(target)
        assert np.mean(answers == target) > 0.8
        np.testing.assert_allclose(model.predict_proba(frame).sum(axis=1), 1.0, atol=1e-5)


def test_train_model_names_a_missing_target() -> None:
    frame = pd.DataFrame({"label": [0, 1] * 20, "x": range(40)})
    with pytest.raises(ColumnNotFound, match=r"labl.*label"):
        train_model(frame, {"data": {"target": "labl"}})


def test_train_model_uses_fixed_parameters() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "target": rng.integers(0, 2, 80)})
    config = {"model": {"model_type": "random_forest", "params": {"n_estimators": 3}}}
    assert "n_estimators=3" in repr(train_model(frame, config).fitted.pipeline)


def test_hyperparameter_tuning_tries_the_grid_and_returns_the_best() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    y = pd.Series(np.where(X.a * X.b > 0, "up", "down"))
    grid = {"n_estimators": [1, 20], "max_depth": [1, 6]}
    model, results = hyperparameter_tuning(X, y, model_type="random_forest", param_grid=grid, folds=3)
    assert [params for params, _ in results.trials] == [
        {**results.trials[0][0], "n_estimators": n, "max_depth": d} for n in (1, 20) for d in (1, 6)
    ]
    assert results.best_score == max(score for _, score in results.trials)
    assert (results.best_params["n_estimators"], results.best_params["max_depth"]) == (20, 6)
    assert results.metric == "roc_auc"
    assert np.mean(model.predict(X) == y) > 0.9
    assert model.predict_proba(X).shape == (200, 2)


def test_hyperparameter_tuning_takes_arrays_and_minimizes_errors() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = X[:, 0] * 3.0 + 0.1 * rng.normal(size=120)
    model, results = hyperparameter_tuning(X, y, model_type="linear", param_grid={"alpha": [0.001, 1e5]}, folds=3)
    assert results.metric == "rmse"
    assert results.best_params["alpha"] == 0.001
    assert model.predict(X).shape == (120,)


def test_hyperparameter_tuning_names_the_nearest_trainer() -> None:
    with pytest.raises(PluginNotFound, match="random_forest"):
        hyperparameter_tuning(np.eye(20), [0, 1] * 10, model_type="random_forrest", param_grid={"max_depth": [1]})


def test_a_model_tuned_on_an_array_predicts_rows_of_the_same_array() -> None:
    """Columns that a contract would set aside must not shift the others: rows of an array have no names."""
    rng = np.random.default_rng(0)
    X = np.column_stack([np.full(60, 3.0), rng.normal(size=60), np.full(60, np.nan), np.arange(60)])
    model, _ = hyperparameter_tuning(X, (X[:, 1] > 0).astype(int), param_grid={"n_estimators": [20]}, folds=3)
    assert model.contract.names == ("x0", "x1", "x2", "x3")
    assert np.mean(model.predict(X) == (X[:, 1] > 0)) > 0.9


@pytest.mark.parametrize(
    ("X", "y", "grid", "sentence"),
    [
        (np.eye(6), [0, 1] * 3, {"alpha": []}, r"param_grid\['alpha'\] has no values"),
        (
            np.eye(6),
            [0, 1] * 3,
            {"alpha": 5},
            r"param_grid\['alpha'\] is 5; pass a list of values to try, such as \[5\]",
        ),
        (np.eye(6), [0, 1] * 3, {"alpha": "ab"}, r"param_grid\['alpha'\] is 'ab'; pass a list"),
        (np.eye(6), [0, 1] * 3, [("alpha", 1)], "param_grid is a list; pass a mapping"),
        (np.eye(6), np.eye(6), {"alpha": [1]}, r"y has the shape \(6, 6\)"),
        (np.eye(6), [0, 1], {"alpha": [1]}, "X has 6 rows and y 2"),
        (np.arange(6), [0, 1] * 3, {"alpha": [1]}, r"X has the shape \(6,\)"),
    ],
)
def test_hyperparameter_tuning_refuses_what_does_not_fit(X, y, grid, sentence) -> None:
    with pytest.raises(UsageError, match=sentence):
        hyperparameter_tuning(X, y, model_type="linear", param_grid=grid)


def test_early_stopping_has_rows_of_its_own_among_many_classes() -> None:
    """An inner split of so few rows cannot hold one of each class."""
    X = np.random.default_rng(0).normal(size=(180, 2)).astype(np.float32)
    _, results = hyperparameter_tuning(
        X, np.arange(180) % 30, model_type="hist_gradient_boosting", param_grid={"max_leaf_nodes": [4]}, folds=2
    )
    assert np.isfinite(results.best_score)


def test_any_error_of_a_library_is_a_sentence(folds) -> None:
    with pytest.raises(TrainingError, match=r"lightgbm could not be fitted: .*num_leaves"):
        evaluate_configuration(Configuration("lightgbm", {"num_leaves": 1}), folds, Rung(1.0, 1))


@pytest.mark.parametrize("folds", [1, 0, 21, 2.5])
def test_hyperparameter_tuning_refuses_impossible_folds(folds) -> None:
    with pytest.raises(UsageError, match=rf"folds={folds}: a cross-validation takes 2 to 20 folds"):
        hyperparameter_tuning(np.eye(6), [0, 1] * 3, model_type="linear", param_grid={"alpha": [1]}, folds=folds)


def test_the_task_of_a_count_can_be_given() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=400), "b": rng.choice(["u", "v"], 400)})
    count = rng.poisson(np.exp(0.5 * X["a"]))
    count[0] = 12
    with pytest.raises(DataError, match=r"rarest class has 1 rows.*data\.task=regression"):
        hyperparameter_tuning(X, count, model_type="linear", param_grid={"C": [1.0]})
    model, results = hyperparameter_tuning(X, count, model_type="linear", param_grid={"alpha": [1]}, task="regression")
    assert (model.contract.target.task, results.metric) == ("regression", "rmse")
    table, config = X.assign(target=count), {"model": {"model_type": "linear"}}
    with pytest.raises(DataError, match=r"data\.task=regression"):
        train_model(table, config)
    assert train_model(table, config, task="regression").contract.target.task == "regression"
    with pytest.raises(UsageError, match="task='counting' is unknown"):
        train_model(table, config, task="counting")


def test_hyperparameter_tuning_takes_rows_with_texts() -> None:
    rows = [["u", 1.0], ["v", None]] * 30
    model, _ = hyperparameter_tuning(rows, [0, 1] * 30, model_type="linear", param_grid={"C": (0.1, 1.0)}, folds=2)
    assert model.predict(rows[:2]).tolist() == [0, 1]
