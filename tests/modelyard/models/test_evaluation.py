from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from modelyard.errors import ModelError, UsageError
from modelyard.models.curves import calibration_bins, calibration_error, precision_recall, receiver_operating
from modelyard.models.evaluation import (
    HeldOut,
    evaluate_classification_model,
    evaluate_model,
    evaluate_regression_model,
    paired_bootstrap,
)
from modelyard.models.intervals import bootstrap, weighted
from modelyard.models.metrics import METRICS
from modelyard.models.training import Configuration


def answers(rows: int = 400, classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, rows)
    odds = rng.random((rows, classes)) + 0.5 * np.eye(classes)[y]
    return y, np.round(odds / odds.sum(axis=1, keepdims=True), 3)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_weights_mean_what_repeated_rows_mean(metric) -> None:
    rng = np.random.default_rng(1)
    if "regression" in metric.tasks:
        y = rng.normal(size=300)
        scores = y + rng.normal(size=300)
    else:
        y, scores = answers(300, 2 if "binary" in metric.tasks else 3)
    drawn = rng.integers(0, 300, (4, 300))
    weights = np.stack([np.bincount(rows, minlength=300) for rows in drawn]).astype(float)
    expected = [metric(y[rows], scores[rows]) for rows in drawn]
    np.testing.assert_allclose(weighted((metric.name,), y, scores)(weights)[metric.name], expected, rtol=1e-9)


def test_an_interval_covers_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=150)
        figure = bootstrap(y, y + rng.normal(size=150), ("mae",), seed=seed)["mae"]
        covered += figure.low <= np.sqrt(2 / np.pi) <= figure.high
    assert 180 <= covered <= 198


def test_intervals_of_ten_thousand_rows_are_quick() -> None:
    y, scores = answers(10_000)
    start = time.process_time()
    evaluate_classification_model(y, scores.argmax(axis=1), scores)
    assert time.process_time() - start < 10, "about 1 s on one core"


def test_binary_report_is_a_mapping_of_figures() -> None:
    y, scores = answers()
    labels = np.array(["no", "yes"])
    report = evaluate_classification_model(labels[y], labels[scores.argmax(axis=1)], scores)
    assert set(report) == {name for name, metric in METRICS.items() if "binary" in metric.tasks}
    assert report["roc_auc"] == pytest.approx(METRICS["roc_auc"](y, scores))
    assert all(figure.low <= figure.value <= figure.high for figure in report.figures.values())
    assert report.classes == ("no", "yes")
    assert sum(map(sum, report.confusion)) == 400
    assert report.confusion[1][1] / sum(report.confusion[1]) == pytest.approx(report.per_class[1].recall)
    own = next(row for row in report.thresholds if row.threshold == 0.5)
    assert own.balanced_accuracy == pytest.approx(report["balanced_accuracy"])
    assert own.f1 == pytest.approx(report["f1"])


def test_figures_of_answers_follow_the_answers_not_the_probabilities() -> None:
    y, scores = answers()
    report = evaluate_classification_model(y, (scores[:, 1] > 0.3).astype(int), scores, threshold=0.3)
    own = next(row for row in report.thresholds if row.threshold == 0.3)
    assert report["accuracy"] == pytest.approx(own.accuracy)
    assert report["accuracy"] != pytest.approx(METRICS["accuracy"](y, scores))


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_the_order_of_classes_is_given_or_ascending_and_never_guessed(threshold) -> None:
    """A perfect ranking keeps its area of 1, whatever the threshold makes of it."""
    y = np.array([0, 0, 0, 1, 1])
    positive = np.array([0.2, 0.25, 0.3, 0.35, 0.4])
    predicted = (positive > threshold).astype(int)
    scores = np.stack([1 - positive, positive], axis=1)
    assert evaluate_classification_model(y, predicted, scores, threshold=threshold)["roc_auc"] == 1.0
    assert evaluate_classification_model(y, predicted, positive, threshold=threshold)["roc_auc"] == 1.0
    labels = np.array(["yes", "no"])  # negative and positive, not in ascending order
    report = evaluate_classification_model(labels[y], labels[predicted], scores, labels, threshold=threshold)
    assert report.classes == ("yes", "no")
    assert report["roc_auc"] == 1.0
    report = evaluate_classification_model(labels[y], labels[predicted], scores[:, ::-1], threshold=threshold)
    assert report.classes == ("no", "yes")
    assert report["roc_auc"] == 1.0


def test_a_report_has_the_confusion_matrix_by_key_and_iterates_over_floats() -> None:
    report = evaluate_classification_model(["a", "b", "a"], ["a", "a", "a"])
    np.testing.assert_array_equal(report["confusion_matrix"], [[2, 0], [1, 0]])
    assert "confusion_matrix" in report
    assert all(isinstance(value, float) for value in dict(report).values())
    assert (report["precision"], report["recall"], report["f1"], report["mcc"]) == (0, 0, 0, 0)
    with pytest.raises(KeyError):
        report["nothing"]


def test_the_positive_class_is_the_second_and_of_more_classes_metrics_are_macro_averages() -> None:
    report = evaluate_classification_model([0, 0, 1, 1, 1], [0, 1, 1, 1, 0])
    assert (report["precision"], report["recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert report["recall_macro"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    several = evaluate_classification_model(["a", "b", "c"], ["a", "b", "b"])
    assert several["recall"] == several["recall_macro"] == several["balanced_accuracy"] == pytest.approx(2 / 3)
    assert several["precision_weighted"] == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_multiclass_report_has_a_curve_for_each_class() -> None:
    y, scores = answers(600, 4)
    report = evaluate_classification_model(y, scores.argmax(axis=1), scores)
    assert set(report) == {name for name, metric in METRICS.items() if "multiclass" in metric.tasks}
    assert [curve.name for curve in report.roc] == ["0", "1", "2", "3"]
    assert not report.thresholds


def test_without_probabilities_the_answers_are_measured() -> None:
    report = evaluate_classification_model(["a", "b", "a"], ["a", "a", "a"])
    assert report["accuracy"] == pytest.approx(2 / 3)
    assert "roc_auc" not in report
    assert not report.roc


def test_curves_are_thin_and_keep_their_ends() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 50_000)
    p = np.clip(0.3 * y + rng.random(50_000) * 0.7, 0, 1)
    roc, recall = receiver_operating(y, p, "yes"), precision_recall(y, p, "yes")
    assert len(roc.x) < 200
    assert len(recall.x) < 200
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    area = np.trapezoid(roc.y, roc.x)
    assert area == pytest.approx(METRICS["roc_auc"](y, np.stack([1 - p, p], axis=1)), abs=2e-3)


def test_calibration_error_tells_honest_probabilities_from_bold_ones() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    came_true = rng.random(20_000) < p
    honest = calibration_bins(came_true, p)
    bold = calibration_bins(came_true, np.where(p > 0.5, 0.99, 0.01))
    assert calibration_error(honest) < 0.02
    assert calibration_error(bold) > 0.2
    assert sum(part.rows for part in honest) == 20_000


def test_calibration_bins_hold_equal_probabilities_together() -> None:
    bins = calibration_bins(np.array([True] * 5 + [False] * 5), np.array([0.3] * 10))
    assert [(part.predicted, part.observed, part.rows) for part in bins] == [(pytest.approx(0.3), 0.5, 10)]


def test_one_class_only_leaves_out_what_it_does_not_allow() -> None:
    report = evaluate_classification_model([1, 1, 1], [1, 0, 1], [0.9, 0.2, 0.8], classes=[0, 1])
    assert "roc_auc" not in report
    assert report["accuracy"] == pytest.approx(2 / 3)
    assert not report.roc


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "no rows"),
        (([0, 1], [0]), "2 rows and y_pred 1"),
        (([0, 1], [0, 1], [0.5]), "2 rows and y_proba 1"),
        (([0, 1], [0, 1], [[0.2, 0.3, 0.5]] * 2), "3 columns and there are 2 classes; pass classes="),
        (([0, 1], [0, 2], None, [0, 1]), "y_pred holds 2, which is none of the classes 0, 1"),
        (([0, np.nan], [0, 1]), "y_true, row 2: the label is null"),
        ((pd.Series([0, 1]), pd.Series(["0", None])), "y_pred, row 2: the label is null"),
        ((pd.Series([0, 1]), pd.Series([0, pd.NA], dtype="Int64")), "y_pred, row 2: the label is null"),
        (([0, 1], [0, [1]]), "y_pred, row 2: the label is of type list"),
        (([0, 1], ["0", "1"]), "y_true holds the number 0 and y_pred holds the text '0'; convert"),
        (([0, 1], ["0", "1"], None, [0, 1]), "y_pred holds '0', which is none of the classes 0, 1"),
        (([0, 1], [0, 1], None, [0, 0]), "classes has 2 labels, 1 of them different"),
        (([0, 1], [0, 1], [0.5, 1.5]), "y_proba, row 2: 1.5 is no probability"),
        (([0, 1], [0, 1], [[0.5, 0.5], [-0.1, 1.1]]), "y_proba, row 2: -0.1 is no probability"),
        (([0, 1], [0, 1], [0.5, np.nan]), "y_proba, row 2: nan is no probability"),
        (([0, 1], [0, 1], [[0.5, 0.5], [0.4, 0.5]]), "y_proba, row 2: the probabilities add up to 0.9"),
        (([0, 1], [0, 1], ["a", "b"]), "y_proba holds values that are no numbers"),
        (([0, 1], [0, 1], np.zeros((2, 2, 1))), "y_proba has 3 dimensions"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, message) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate_classification_model(*arguments)


def test_regression_report() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(10, 3, 2000)
    predicted = y + rng.normal(0, 1, 2000)
    report = evaluate_regression_model(y, predicted)
    assert set(report) == {"rmse", "mae", "r2"}
    assert report["rmse"] == pytest.approx(1.0, abs=0.05)
    assert report.residual_quantiles["0.5"] == pytest.approx(0, abs=0.1)
    assert len(report.sample) == 500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1]), "y_true has 2 rows and y_pred 1"),
        (([], []), "y_true has no rows"),
        (([1.0, np.nan, np.nan], [1.0, 2.0, 3.0]), r"y_true, row 2: nan is no finite number \(2 such rows in all\)"),
        (([1.0, 2.0], [1.0, -np.inf]), "y_pred, row 2: -inf is no finite number"),
        ((["a", "b"], [1.0, 2.0]), "y_true holds values that are no numbers"),
    ],
)
def test_regression_arguments_that_do_not_fit_are_named(arguments, message) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate_regression_model(*arguments)


def test_probabilities_may_be_rounded() -> None:
    y, scores = answers(100, 3)
    evaluate_classification_model(y, scores.argmax(axis=1), scores.astype(np.float32))
    report = evaluate_classification_model([0, 1], [0, 1], np.float32([-1e-7, 1 + 1e-7]))
    assert report["brier"] == 0


def test_areas_of_many_classes_and_rows_have_no_interval(monkeypatch) -> None:
    y, scores = answers(200, 3)
    monkeypatch.setattr("modelyard.models.intervals.MOST_AREA_SCORES", 599)
    report = evaluate_classification_model(y, scores.argmax(axis=1), scores)
    assert report.figures["roc_auc_ovo"].low is None
    assert report.figures["log_loss"].low is not None
    assert all(np.isnan(paired_bootstrap(y, scores, scores, "roc_auc_ovr")[1:]))


def test_paired_bootstrap_sees_a_difference_that_the_intervals_hide() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    noise = rng.normal(size=400)
    difference, low, high = paired_bootstrap(y, y + noise, y + 1.1 * noise, "rmse")
    assert low < difference < high < 0
    apart = bootstrap(y, y + noise, ("rmse",))["rmse"], bootstrap(y, y + 1.1 * noise, ("rmse",))["rmse"]
    assert apart[0].high > apart[1].low
    same = paired_bootstrap(y, y + noise, y + noise, "rmse")
    assert same == (0, 0, 0)


@pytest.mark.parametrize(
    ("task", "algorithm", "rounds"),
    [("binary", "lightgbm", 20), ("multiclass", "linear", None), ("regression", "linear", None)],
)
def test_a_model_on_held_out_rows(make_model, make_folds_of, task, algorithm, rounds) -> None:
    model, frame = make_model(task, algorithm)
    folds = make_folds_of(frame, model.contract)
    held = slice(0, 60)
    config = Configuration(algorithm)
    document = evaluate_model(model, folds.X[held], folds.y[held], folds=folds, configuration=config, rounds=rounds)
    assert document.score.low <= document.score.value <= document.score.high
    assert [baseline.name for baseline in document.baselines] == ["dummy", "linear"]
    dummy = document.baselines[0]
    assert dummy.difference.value == pytest.approx(document.score.value - dummy.score.value)
    assert {one.column for one in document.importances} == set(model.contract.names)
    rows = [point.rows for point in document.learning]
    assert rows == sorted(rows)
    assert rows[-1] == 240
    assert len(rows) > 1
    assert HeldOut.from_json(document.to_json()) == document


def test_the_learning_curve_keeps_to_its_time(make_model, make_folds_of) -> None:
    model, frame = make_model("binary")
    folds = make_folds_of(frame, model.contract)
    config = Configuration("linear")
    document = evaluate_model(model, folds.X, folds.y, folds=folds, configuration=config, learning_seconds=0)
    assert [point.rows for point in document.learning] == [60, 240]


def test_a_damaged_evaluation_names_the_place() -> None:
    with pytest.raises(ModelError, match="evaluation is not valid: task"):
        HeldOut.from_json('{"task": "guess"}')
