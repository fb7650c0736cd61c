from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sklearn.ensemble  # noqa: F401  # brings a pool of OpenMP
from threadpoolctl import threadpool_info, threadpool_limits

from modelyard.data.contract import Column, Contract, Target
from modelyard.errors import ContractViolation
from modelyard.models.model import Model, PipelineScorer, align


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


def test_frames_mappings_and_plain_rows_are_encoded_alike(make_model) -> None:
    model, frame = make_model("binary")
    names = list(model.contract.names)
    expected = model.predict_proba(frame)
    rows = frame[names].astype(object).where(frame[names].notna(), None)
    np.testing.assert_array_equal(model.predict_proba(frame.to_dict("list")), expected)
    np.testing.assert_array_equal(model.predict_proba(rows.to_dict("records")), expected)
    np.testing.assert_array_equal(model.predict_proba(rows.to_numpy()), expected)
    np.testing.assert_array_equal(model.predict_proba(rows.to_numpy().tolist()), expected)


def test_the_threshold_decides_and_ties_are_negative() -> None:
    rows = [{"a": 0.2}, {"a": 0.3}, {"a": 0.6}]
    assert model_of(("no", "yes")).predict(rows).tolist() == ["no", "no", "yes"]
    assert model_of(("no", "yes"), 0.3).predict([{"a": 0.25}, {"a": 0.5}]).tolist() == ["no", "yes"]
    assert model_of(("no", "yes"), 0.5).predict([{"a": 0.5}]).tolist() == ["no"]


@pytest.mark.parametrize("classes", [(False, True), (1, 2), (1, 2, 5), ("a", "b", "c"), (1, "x")])
def test_labels_keep_their_type(classes) -> None:
    answers = model_of(classes).predict([{"a": 0.9}, {"a": 0.0}]).tolist()
    assert answers == [classes[-1], classes[0]]
    assert [type(answer) for answer in answers] == [type(classes[-1]), type(classes[0])]


def test_values_stay_values() -> None:
    assert model_of(()).predict([[2.5, "u"]]).tolist() == [2.5]


def test_a_row_of_another_width_is_named() -> None:
    with pytest.raises(ContractViolation, match="row 2 has 1 values where 2 are expected"):
        model_of(()).predict([[1.0, "u"], [2.0]])


@pytest.mark.parametrize("rows", [[1.0, 2.0], np.array([1.0, 2.0]), ["ab"]], ids=["values", "array", "texts"])
def test_a_row_that_is_none_is_named(rows) -> None:
    with pytest.raises(ContractViolation, match=r"row 1 is .* where a sequence of 2 values is expected"):
        model_of(()).predict(rows)
    with pytest.raises(ContractViolation, match="row 1 has 3 values where 2 are expected"):
        model_of(()).predict(np.ones((4, 3)))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(ContractViolation, match="column 'c' is missing"):
        model_of(()).predict({"a": [1.0]})


def test_classes_that_a_fit_did_not_see_get_no_probability() -> None:
    wide = align(np.array([[0.4, 0.6]]), np.array([0, 2]), 3)
    assert wide.tolist() == [[0.4, 0.0, 0.6]]


def test_pipeline_scorer_flattens_values() -> None:
    class Pipeline:
        def predict(self, matrix):
            return matrix[:, :1]

    assert PipelineScorer(Pipeline(), 0)(np.ones((3, 2), np.float32)).shape == (3,)


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
