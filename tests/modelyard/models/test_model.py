from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import sklearn.ensemble  # noqa: F401  # brings a pool of OpenMP
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info, threadpool_limits

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.scale import TargetScale
from modelyard.errors import ModelError
from modelyard.models.artifact import load_model
from modelyard.models.model import Model, PipelineScorer, align
from modelyard.plugins.standardization import StandardizedRegressor


def model_of(classes: tuple, threshold: float = 0.5) -> Model:
    task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
    columns = (Column(name="a", kind="numeric"), Column(name="c", kind="categorical", vocabulary=("u", "v")))
    contract = Contract(columns=columns, target=Target(name="y", task=task, classes=classes))

    def score(matrix):
        p = matrix[:, 0].astype(float)
        if not classes:
            return p
        rest = (1 - p) / (len(classes) - 1)
        return np.stack([rest] * (len(classes) - 1) + [p], axis=1)

    return Model(contract, score, threshold)


def test_the_threshold_decides_and_ties_are_negative() -> None:
    rows = [(0.2, "u"), (0.3, "u"), (0.6, "u")]
    assert model_of(("no", "yes")).predict(rows).tolist() == ["no", "no", "yes"]
    assert model_of(("no", "yes"), 0.3).predict([(0.25, "u"), (0.5, "u")]).tolist() == ["no", "yes"]
    assert model_of(("no", "yes"), 0.5).predict([(0.5, "u")]).tolist() == ["no"]


@pytest.mark.parametrize("classes", [(False, True), (1, 2), (1, 2, 5), ("a", "b", "c"), (1, "x")])
def test_labels_keep_their_type(classes) -> None:
    answers = model_of(classes).predict([(0.9, "u"), (0.0, "u")]).tolist()
    assert answers == [classes[-1], classes[0]]
    assert [type(answer) for answer in answers] == [type(classes[-1]), type(classes[0])]


def test_values_stay_values() -> None:
    assert model_of(()).predict([[2.5, "u"]]).tolist() == [2.5]


@pytest.mark.parametrize(
    ("classes", "ascending"),
    [
        (("yes", "no"), ["no", "yes"]),
        ((True, False), [False, True]),
        ((5, 1, 2), [1, 2, 5]),
        (("b", "a", "c"), ["a", "b", "c"]),
        (("x", 1), [1, "x"]),
    ],
)
def test_probabilities_have_the_order_of_classes(classes, ascending) -> None:
    model = model_of(classes)
    assert model.classes_.tolist() == ascending
    rows = [(0.9, "u"), (0.0, "u")]
    scores = model.scorer(model.encode(rows))
    probabilities = model.predict_proba(rows)
    for place, label in enumerate(classes):
        np.testing.assert_array_equal(probabilities[:, ascending.index(label)], scores[:, place])
    assert model.predict(rows).tolist() == [classes[-1], classes[0]]


def test_scikit_learn_ranks_by_the_second_column() -> None:
    model = model_of(("yes", "no"))  # "no" is the positive class
    truth, rows = ["no", "no", "yes", "yes"], [(0.9, "u"), (0.8, "u"), (0.2, "u"), (0.1, "u")]
    assert roc_auc_score(truth, model.predict_proba(rows)[:, 1]) == 1.0


def test_a_regression_has_no_classes() -> None:
    model = model_of(())
    for attribute in ("classes_", "predict_proba"):
        assert not hasattr(model, attribute)
        with pytest.raises(AttributeError, match=f"'model' is a regression, which has no {attribute}; use predict"):
            getattr(model, attribute)
    assert "shape (n, classes)" in Model.predict_proba.__doc__


def test_the_representation_is_one_short_line() -> None:
    expected = (
        "Model(name='model', version='', task='binary', target='y', columns=2, classes=['no', 'yes'], compiled=False)"
    )
    assert repr(model_of(("no", "yes"))) == expected
    assert "classes=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 90 more]" in repr(model_of(tuple(range(100))))
    assert "classes" not in repr(model_of(()))


def copies(model: Model) -> list[Model]:
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return [pickle.loads(pickle.dumps(model)), copy.deepcopy(model), joblib.load(file)]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_fitted_models_are_pickled_and_copied_after_a_prediction(make_model, task: str) -> None:
    model, frame = make_model(task)
    expected = model.predict(frame)
    for copied in copies(model):
        np.testing.assert_array_equal(copied.predict(frame), expected)
        assert repr(copied) == repr(model)


def test_compiled_models_are_pickled_and_copied_after_a_prediction(parts, tmp_path) -> None:
    folder = parts.save(tmp_path / "m")
    model = load_model(folder)
    expected = model.predict_proba(parts.frame)
    for copied in copies(model):
        np.testing.assert_array_equal(copied.predict_proba(parts.frame), expected)
        assert copied.compiled
    with pytest.raises(ModelError, match="load it with picklable=True"):
        pickle.dumps(load_model(folder, picklable=False))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_no_rows_have_no_predictions(make_model, task: str) -> None:
    model, frame = make_model(task)
    answer, expected = model.predict(frame[:0]), model.predict(frame)
    assert (answer.shape, answer.dtype) == ((0,), expected.dtype)
    if task != "regression":
        answer, expected = model.predict_proba(frame[:0]), model.predict_proba(frame)
        assert (answer.shape, answer.dtype) == ((0, len(model.classes_)), expected.dtype)


def test_no_rows_have_no_predictions_of_a_compiled_model(parts, tmp_path) -> None:
    model = load_model(parts.save(tmp_path / "m"))
    answer = model.predict_proba(parts.frame[:0])
    assert (answer.shape, answer.dtype) == ((0, 2), np.float32)
    assert model.predict([]).shape == (0,)


def test_classes_that_a_fit_did_not_see_get_no_probability() -> None:
    wide = align(np.array([[0.4, 0.6]]), np.array([0, 2]), 3)
    assert wide.tolist() == [[0.4, 0.0, 0.6]]


def test_pipeline_scorer_flattens_values() -> None:
    class Pipeline:
        def predict(self, matrix):
            return matrix[:, :1]

    assert PipelineScorer(Pipeline(), 0)(np.ones((3, 2), np.float32)).shape == (3,)


@pytest.mark.parametrize(("mean", "dtype"), [(1e3, np.float32), (1e7, np.float64)])
def test_an_original_says_which_type_its_values_need(mean: float, dtype: type) -> None:
    class Pipeline:
        def predict(self, matrix):
            return matrix[:, :1]

    scale = TargetScale.of([mean - 1, mean + 1])
    scorer = PipelineScorer(StandardizedRegressor(Pipeline(), scale), 0)
    assert scorer(np.ones((3, 2), np.float32)).tolist() == [mean + 1] * 3
    contract = model_of(()).contract
    assert Model(contract, scorer).dtype == scorer.dtype == dtype
    assert Model(contract, PipelineScorer(Pipeline(), 0)).dtype == np.float32, "as pipelines of version 0.1"


def test_the_pipeline_predicts_on_one_thread_and_leaves_the_others_as_they_were() -> None:
    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}

    seen = []

    class Pipeline:
        def predict(self, matrix):
            seen.append(threads())
            return matrix[:, 0]

    scorer = PipelineScorer(Pipeline(), 0)
    with threadpool_limits(limits=2):
        scorer(np.ones((1, 2), np.float32))
        assert threads() == {2}
    assert seen == [{1}]


def test_the_package_loads_nothing_until_it_is_used() -> None:
    code = (
        "import sys, modelyard.models as models; assert 'train_model' in dir(models); "
        "print(sorted({'numpy', 'pandas', 'sklearn', 'onnxruntime', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
