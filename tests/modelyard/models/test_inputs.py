from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import Encoder
from modelyard.errors import ContractViolation
from modelyard.models.inputs import encode_rows

CONTRACT = Contract(
    columns=(Column(name="a", kind="numeric"), Column(name="c", kind="categorical", vocabulary=("u", "v"))),
    target=Target(name="y", task="regression"),
    set_aside={"id": "identifier: it counts the rows"},
)
ENCODER = Encoder(CONTRACT)


def test_every_form_is_encoded_alike(make_model) -> None:
    model, frame = make_model("binary")
    names = list(model.contract.names)
    expected = model.encode(frame)
    rows = frame[names].astype(object).where(frame[names].notna(), None)
    forms = (
        frame.to_dict("list"),
        rows.to_dict("records"),
        frame[names].convert_dtypes().to_dict("records"),
        np.array(rows.to_dict("records")),
        rows.to_numpy(),
        rows.to_numpy().tolist(),
    )
    for form in forms:
        np.testing.assert_array_equal(model.encode(form), expected)
    for row in (frame.iloc[5], frame.convert_dtypes().iloc[5], rows.iloc[5], rows.iloc[5].to_dict()):
        np.testing.assert_array_equal(model.encode(row), expected[5:6])


def test_further_columns_are_ignored_in_tables_and_refused_in_rows() -> None:
    expected = [[1.0, 2.0]]
    assert encode_rows(ENCODER, pd.DataFrame({"id": [1], "a": [1.0], "c": ["u"], "y": [0.5]})).tolist() == expected
    assert encode_rows(ENCODER, {"id": [1], "a": [1.0], "c": ["u"]}).tolist() == expected
    assert encode_rows(ENCODER, pd.Series({"id": 1, "a": 1.0, "c": "u"})).tolist() == expected
    assert encode_rows(ENCODER, {"a": 1.0, "c": "u"}).tolist() == expected
    assert encode_rows(ENCODER, {"a": np.array(1.0), "c": np.str_("u")}).tolist() == expected
    for rows in ({"id": 1, "a": 1.0, "c": "u"}, [{"a": 1.0, "c": "u", "id": 1}]):
        with pytest.raises(ContractViolation, match="row 1: unknown key 'id'"):
            encode_rows(ENCODER, rows)


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({}, "row 1: no value for 'a', 'c'"),
        ({"a": [1.0]}, "column 'c' is missing"),
        ({"a": [1.0, 2.0], "c": ["u"]}, "column 'c' has 1 values and 'a' has 2"),
        ({"a": [1.0], "c": "u"}, "column 'c' is 'u' where a sequence is expected"),
        ({"a": {"0": 1.0}, "c": {"0": "u"}}, "column 'a', row 1: {'0': 1.0} is not a number"),
        ([1.0, 2.0], "row 1 is 1.0 where a sequence of 2 values is expected"),
        (np.array([1.0, 2.0]), "row 1 is 1.0 where a sequence of 2 values is expected"),
        (["ab"], "row 1 is 'ab' where a sequence of 2 values is expected"),
        (["x" * 10_000], f"row 1 is '{'x' * 59}... where a sequence of 2 values is expected"),
        ([[1.0, "u"], [2.0]], "row 2 has 1 values where 2 are expected ('a', 'c')"),
        ([[7, 1.0, "u"]], "('a', 'c'); leave out 'id', which the model does not read"),
        (np.ones((4, 4)), "row 1 has 4 values where 2 are expected ('a', 'c'); leave out 'id', 'y', which the model"),
        ([{"a": 1.0, "c": "u"}, [1.0, "u"]], "row 2 is [1.0, 'u'] where a mapping by column is expected"),
        (5, "5 is not a table: pass a frame, a mapping or a sequence of rows"),
        ("abc", "'abc' is not a table"),
        (pd.Series({"a": 1.0}), "column 'c' is missing"),
        (pd.Series([1.0, "u"]), "column 'a' is missing"),
        (pd.Series([1.0, 2.0, "u"], index=["a", "a", "c"]), "column 'a' occurs twice"),
        (pd.DataFrame([[1.0, 2.0, "u"]], columns=["a", "a", "c"]), "column 'a' occurs twice"),
    ],
)
def test_other_rows_are_refused_in_a_sentence(rows, problem: str) -> None:
    with pytest.raises(ContractViolation) as refused:
        encode_rows(ENCODER, rows)
    assert problem in str(refused.value)
