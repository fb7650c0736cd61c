from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import DataSettings
from modelyard.data import encode_target, infer_contract, split_target
from modelyard.errors import ColumnNotFound, ConfigError, ContractViolation, DataError


def table(y) -> pd.DataFrame:
    return pd.DataFrame({"x": np.random.default_rng(0).normal(size=len(y)), "y": y})


def infer(y, **settings):
    return infer_contract(table(y), DataSettings(target="y", **settings))


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no"] * 6 + ["yes"] * 4, "binary", ("no", "yes")),
        (["no"] * 4 + ["yes"] * 6, "binary", ("yes", "no")),
        ([0, 1] * 5, "binary", (0, 1)),
        ([1] * 7 + [2] * 3, "binary", (1, 2)),
        ([-1] * 7 + [1] * 3, "binary", (-1, 1)),
        ([0.0, 1.0, None, 1.0, 0.0, 0.0], "binary", (0, 1)),
        ([True, False, False], "binary", (False, True)),
        (pd.array([True, None, False, False], dtype="boolean"), "binary", (False, True)),
        ([True, None, False, False], "binary", (False, True)),
        (pd.Categorical(["a", "b", "b"]), "binary", ("b", "a")),
        (["c", "a", "b"] * 5, "multiclass", ("a", "b", "c")),
        ([3, 10, 2] * 10, "multiclass", (2, 3, 10)),
        (list(range(100)), "regression", ()),
        (list(range(15)) * 4, "regression", ()),
        ([0.5, 1.5, 2.5] * 20, "regression", ()),
    ],
)
def test_task_and_classes(values, task, classes):
    target = infer(values).target
    assert target.task == task
    assert target.classes == classes
    assert [type(label) for label in target.classes] == [type(label) for label in classes]


def test_overrides():
    assert infer([1, 2, 3] * 20, task="regression").target.task == "regression"
    assert infer([0, 1] * 20, task="regression").target.maximum == 1
    assert len(infer(list(range(30)) * 2, task="multiclass").target.classes) == 30
    assert infer(["no"] * 6 + ["yes"] * 4, positive="no").target.classes == ("yes", "no")
    assert infer([1] * 6 + [2] * 4, positive="1").target.classes == (2, 1)


@pytest.mark.parametrize(
    ("values", "settings", "expected"),
    [
        (["a", "b"] * 5, {"positive": "c"}, r"data\.positive: 'c' is no class; there is 'a', 'b'"),
        (["a", "b", "c"] * 5, {"positive": "a"}, "the task of 'y' is multiclass"),
        (["a", "b", "c"] * 5, {"task": "binary"}, "has 3 different values"),
        (["a", "b"] * 5, {"task": "multiclass"}, "has two values; say binary"),
        (["a", "b", "c"] * 5, {"task": "regression"}, r"data\.task: is regression, but .*row 1: 'a' is not a number"),
    ],
)
def test_contradictions(values, settings, expected):
    with pytest.raises(ConfigError, match=expected):
        infer(values, **settings)


def test_infinite_target():
    with pytest.raises(DataError, match=r"^the target 'y', row 2: is infinite; mend or drop the row$"):
        infer([0.5, np.inf, 1.5, 2.5])


def test_rows_without_target_are_dropped_and_rows_keep_their_numbers():
    contract = infer(["a", "b", None, "a"])
    rows, codes = split_target(table(["a", None, "b", "a"]), contract)
    assert codes.tolist() == [0, 1, 0]
    assert codes.dtype == np.int64
    assert rows.index.tolist() == [0, 1, 2]
    with pytest.raises(ContractViolation, match="target 'y', row 3: 'bb' is none of the classes; did you mean 'b'"):
        split_target(table(["a", None, "bb"]), contract)
    with pytest.raises(ContractViolation, match="row 2: is null"):
        encode_target(table(["a", None, "b"]), contract)
    with pytest.raises(DataError, match="null in every row"):
        split_target(table([None, None]), contract)
    with pytest.raises(ColumnNotFound):
        encode_target(pd.DataFrame({"x": [1]}), contract)


def test_labels_match_across_types():
    contract = infer([0, 1, 0, 1, 0])
    for values in ([1, 0], [1.0, 0.0], ["1", "0"]):
        assert encode_target(table(values), contract).tolist() == [1, 0]


def test_regression_values():
    contract = infer([0.5, 1.5, 2.5, 9.0])
    rows, values = split_target(table([7.25, None, 1]), contract)
    assert values.tolist() == [7.25, 1.0]
    assert values.dtype == np.float64
    assert len(rows) == 2
    assert contract.target.bins == (1.5, 2.5, 9.0)
    assert infer(["a", "b"] * 5).target.bins == ()


def test_full_stops_of_c45_files(caplog):
    contract = infer(["<=50K", ">50K", "<=50K"])
    assert encode_target(table([">50K.", "<=50K."]), contract).tolist() == [1, 0]
    assert "full stop" in caplog.text
    with pytest.raises(ContractViolation, match=r"row 2: '<=50K\.' is none of the classes"):
        encode_target(table([">50K", "<=50K."]), contract)


def test_the_bins_of_a_target_that_float32_is_too_coarse_for_are_exact() -> None:
    values = 1e7 + np.random.default_rng(0).normal(size=200)
    bins = infer(values).target.bins
    assert len(bins) == 9
    assert set(bins) <= set(values)
    near = infer(values - 1e7).target.bins
    assert all(float(np.float32(edge)) == edge for edge in near)
