from __future__ import annotations

import datetime as dt
import time

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import DataSettings
from modelyard.data import Column, Contract, Encoder, Target, infer_contract
from modelyard.data.encoding import DATE_PARTS, NULL_CODE, UNKNOWN_CODE
from modelyard.errors import ContractViolation

ROWS = 80


def contract_of(*columns: Column) -> Contract:
    return Contract(columns=columns, target=Target(name="y", task="regression"))


def one(kind, values, **facts):
    """Encodes one column, whatever it is held in."""
    return Encoder(contract_of(Column(name="x", kind=kind, **facts))).encode({"x": values})


def random_table(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)

    def holes(values, dtype="object"):
        kept = [None if hole else value for value, hole in zip(values, draw.random(ROWS) < 0.2, strict=True)]
        return pd.Series(kept, dtype=dtype)

    seconds = draw.integers(-3_000_000_000, 9_000_000_000, ROWS)
    micros = draw.integers(0, 1_000_000, ROWS)
    instants = pd.Series(pd.to_datetime(seconds * 1_000_000 + micros, unit="us"))
    offset = dt.timezone(dt.timedelta(minutes=int(draw.integers(-700, 700))))
    words = draw.choice(["a", "b", "", "3", "3.0", "True", "ü", "d"], ROWS)
    wide = draw.normal(0, 1, ROWS) * 10.0 ** draw.integers(-40, 37, ROWS)
    return pd.DataFrame(
        {
            "float": wide,
            "float32": wide.astype(np.float32),
            "int": draw.integers(-(2**60), 2**60, ROWS),
            "Int64": holes(draw.integers(-(2**60), 2**60, ROWS).tolist(), "Int64"),
            "Float64": holes(wide.tolist(), "Float64"),
            "object_number": holes(wide.tolist()),
            "text": holes(words.tolist(), "str"),
            "object_text": holes(words.tolist()),
            "mixed": holes([[1, "1", 2.5, True, "x"][place] for place in draw.integers(0, 5, ROWS)]),
            "category": holes(words.tolist(), "category"),
            "int_category": holes(draw.integers(0, 4, ROWS).tolist(), "category"),
            "float_as_category": draw.choice([1.0, 2.5, np.nan, 1e16], ROWS),
            "float32_as_category": draw.choice(np.array([0.1, 2.0, 7.7], dtype=np.float32), ROWS),
            "bool": draw.random(ROWS) < 0.5,
            "boolean": holes((draw.random(ROWS) < 0.5).tolist(), "boolean"),
            "object_bool": holes((draw.random(ROWS) < 0.5).tolist()),
            "truth": holes(draw.choice(["true", "FALSE"], ROWS).tolist(), "str"),
            "arrow_bool": holes((draw.random(ROWS) < 0.5).tolist(), "bool[pyarrow]"),
            "naive": instants.mask(draw.random(ROWS) < 0.2),
            "aware": instants.dt.tz_localize("UTC").dt.tz_convert(offset),
            "nano": instants.dt.as_unit("ns").mask(draw.random(ROWS) < 0.2),
            "iso": holes([stamp.replace(tzinfo=offset).isoformat() for stamp in instants], "str"),
            "day": holes([stamp.date().isoformat() for stamp in instants], "str"),
            "y": draw.normal(size=ROWS),
        }
    )


def json_value(value):
    """What a client sends for a cell."""
    if isinstance(value, list | dict) or not pd.isna(value):
        plain = value.item() if isinstance(value, np.generic) else value
        return plain.isoformat() if isinstance(plain, dt.datetime) else plain
    return None


@pytest.mark.parametrize("seed", range(12))
def test_frame_and_rows_give_the_same_bits(seed):
    table = random_table(seed)
    kinds = {"float_as_category": "categorical", "float32_as_category": "categorical"}
    contract = infer_contract(table[:50], DataSettings(target="y", kinds=kinds, max_categories=5))
    assert not contract.set_aside
    encoder = Encoder(contract)
    by_frame = encoder.encode(table)
    rows = [{name: json_value(table[name].iloc[row]) for name in contract.names} for row in range(len(table))]
    by_rows = encoder.encode_rows(rows)
    np.testing.assert_array_equal(by_frame.view(np.uint32), by_rows.view(np.uint32))
    one_by_one = np.concatenate([encoder.encode_rows([row]) for row in rows])
    np.testing.assert_array_equal(by_frame.view(np.uint32), one_by_one.view(np.uint32))
    assert by_frame.flags.c_contiguous
    assert by_frame.shape == (ROWS, len(encoder.features))


def test_categories_are_codes_by_frequency():
    codes = one("categorical", pd.Series(["b", "a", None, "new"]), vocabulary=("a", "b"))
    assert codes[:, 0].tolist() == [3, 2, NULL_CODE, UNKNOWN_CODE]


def test_numbers_and_texts_are_one_category():
    assert one("categorical", [3, 3.0, "3", np.float32(3)], vocabulary=("3",))[:, 0].tolist() == [2, 2, 2, 2]
    tenth = np.array([0.1], dtype=np.float32)
    vocabulary = (str(tenth.item()),)
    assert (
        one("categorical", tenth, vocabulary=vocabulary)
        == one("categorical", tenth.tolist(), vocabulary=vocabulary)
        == 2
    )


def test_date_parts():
    parts = one("datetime", ["2024-02-29T23:30:00-01:00", "1969-12-31T23:59:59.5", None])
    assert dict(zip(DATE_PARTS, parts[0].tolist(), strict=True)) == {
        "days": 19783,
        "month": 3,
        "day": 1,
        "weekday": 4,
        "second": 1800,
    }
    assert parts[1].tolist() == [-1, 12, 31, 2, 86399.5]
    assert np.isnan(parts[2]).all()


@pytest.mark.parametrize("kind", ["numeric", "categorical", "boolean", "datetime"])
def test_the_null_of_pandas_is_null_in_a_list_too(kind):
    nulls = one(kind, [pd.NA, None, float("nan"), pd.NaT])
    assert (nulls == NULL_CODE).all() if kind == "categorical" else np.isnan(nulls).all()


def test_values_past_float32_are_clipped():
    largest = np.finfo(np.float32).max
    assert one("numeric", [1e300, -np.inf, "5"])[:, 0].tolist() == [largest, -largest, 5]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("numeric", [1, "abc"], "column 'x', row 2: 'abc' is not a number"),
        ("numeric", [[1], [2]], "row 1: \\[1\\] is not a number"),
        ("numeric", [{}, 1], "row 1: {} is not a number"),
        ("numeric", [np.ones(2), np.ones(2)], "row 1: array.* is not a number"),
        ("boolean", pd.Series([0, 1, 2]), "row 3: 2.* is not a boolean"),
        ("boolean", [None, "yes"], "row 2: 'yes' is not a boolean"),
        ("datetime", ["2024-01-01", "soon"], "row 2: 'soon' is not an ISO 8601 datetime"),
        ("datetime", [20240101], "row 1: 20240101 is not an ISO 8601 datetime"),
    ],
)
def test_wrong_value_names_its_row(kind, values, expected):
    with pytest.raises(ContractViolation, match=expected):
        one(kind, values)


def test_missing_column_is_named():
    with pytest.raises(ContractViolation, match="column 'x' is missing"):
        Encoder(contract_of(Column(name="x", kind="numeric"))).encode({"z": [1]})
    nullable = Encoder(contract_of(Column(name="x", kind="numeric", nullable=True)))
    assert np.isnan(nullable.encode_rows([{}])).all()
    with pytest.raises(ContractViolation, match="row 1: unknown key 'z'"):
        nullable.encode_rows([{"z": 1}])


def test_a_large_frame_is_quick():

    draw = np.random.default_rng(0)
    words = np.array([f"category {place}" for place in range(40)])
    frame = pd.DataFrame({f"c{i}": words[draw.integers(0, 40, 30_000)] for i in range(8)})
    frame = frame.assign(**{f"n{i}": draw.normal(size=30_000) for i in range(6)}, y=draw.normal(size=30_000))
    encoder = Encoder(infer_contract(frame, DataSettings(target="y")))
    start = time.process_time()
    encoder.encode(frame)
    # about 10 ms; value by value it is over 150
    assert time.process_time() - start < 0.15
