from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from modelyard.data import Column, Contract, Encoder, Target
from modelyard.data.arrow import Distinct, encodable, takes

ROWS = 90
WORDS = ("a", "b", "", "3", "2.5", "ü", "True", "0.10000000149011612")
TEXTS = (pa.string(), pa.large_string())
WHOLE = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
FLOATS = (pa.float16(), pa.float32(), pa.float64())
NUMBERS = (*WHOLE, *FLOATS, pa.decimal128(9, 2), pa.decimal256(45, 3))
ZONES = (None, "UTC", "Europe/Berlin", "+05:30")
STAMPS = tuple(pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in ZONES)
COLUMNS = {
    "numeric": NUMBERS,
    "boolean": (pa.bool_(), *WHOLE, *FLOATS, *TEXTS),
    "datetime": (*STAMPS, pa.date32(), pa.date64(), *TEXTS),
    "categorical": (*TEXTS, *NUMBERS),
}


def drawn(draw: np.random.Generator, kind: str, type_: pa.DataType) -> list[Any]:
    """Values of a type that stand for something in a column of the kind."""
    if kind == "boolean":
        texts = type_ in TEXTS
        choices = ["true", " FALSE", "1", "0.0"] if texts else [False, True] if type_ == pa.bool_() else [0, 1]
    elif type_ in TEXTS and kind == "datetime":
        choices = ["2024-02-29", "1969-12-31T23:59:59.25", " 2031-05-01T10:00:00+02:00", "0001-01-01", "2024-01-01T00Z"]
    elif type_ in TEXTS:
        choices = [*WORDS, "new"]
    elif type_ in WHOLE:
        signed = not str(type_).startswith("u")
        last = 2 ** (type_.bit_width - signed) - 1
        choices = [0, 1, 3, last, -last * signed]
    elif type_ in FLOATS:
        choices = [0.0, -0.0, 2.5, 3.0, 0.1, float("inf"), -float("inf"), float("nan"), *draw.normal(size=9).tolist()]
    elif pa.types.is_decimal(type_):
        choices = [Decimal("3.00"), Decimal("-2.5"), Decimal("1234.56"), Decimal(0)]
    else:
        seconds = draw.integers(-2_000_000_000, 4_000_000_000, 9).tolist()
        moments = [dt.datetime(1970, 1, 1) + dt.timedelta(seconds=second, milliseconds=250) for second in seconds]
        choices = [moment.replace(microsecond=0) if "[s" in str(type_) else moment for moment in moments]
        if not pa.types.is_timestamp(type_):
            choices = [choice.date() for choice in choices]
    picked = [choices[place] for place in draw.integers(0, len(choices), ROWS)]
    return [None if hole else value for value, hole in zip(picked, draw.random(ROWS) < 0.2, strict=True)]


def forms(array: pa.Array) -> dict[str, pa.Array]:
    """The same values as they may lie in memory."""
    longer = pa.concat_arrays([array[:7], array, array[:3]])
    split = pa.chunked_array([array[:40].dictionary_encode(), array[40:].dictionary_encode()])
    indices = pa.array([None if value is None else place for place, value in enumerate(array.to_pylist())], pa.int16())
    return {
        "as it is": array,
        "slice": longer[7 : 7 + ROWS],
        "dictionaries": split.combine_chunks(),
        "null in the dictionary": pa.DictionaryArray.from_arrays(pa.array(range(ROWS), pa.uint8()), array),
        "doubles in the dictionary": pa.DictionaryArray.from_arrays(indices, array),
    }


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("seed", range(3))
def test_columns_are_encoded_as_their_values_are(kind: str, seed: int) -> None:
    draw = np.random.default_rng(seed)
    column = Column(name="x", kind=kind, vocabulary=WORDS if kind == "categorical" else ())
    encoder = Encoder(Contract(columns=(column,), target=Target(name="y", task="regression")))
    for type_ in COLUMNS[kind]:
        array = pa.array(drawn(draw, kind, type_), type_, from_pandas=False)
        plain = [float(value) if isinstance(value, Decimal) else value for value in array.to_pylist()]
        expected = encoder.encode({"x": plain})
        for name, form in forms(array).items():
            if type_ == pa.float16() and pa.types.is_dictionary(form.type):
                assert not takes(column, form.type)
                continue
            form.validate(full=True)
            assert takes(column, form.type), (type_, name)
            values, wrong = encodable(form, column)
            assert not wrong.any(), (type_, name)
            found = encoder.encode({"x": values})
            np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32), f"{type_}, {name}")
            parts = np.concatenate([encoder.encode({"x": values[rows]}) for rows in (slice(0, 33), slice(33, ROWS))])
            np.testing.assert_array_equal(parts, found)


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("type_", [pa.null(), pa.dictionary(pa.int32(), pa.null())])
def test_a_column_without_a_value_may_be_of_any_kind(kind: str, type_: pa.DataType) -> None:
    column = Column(name="x", kind=kind, vocabulary=("a",) if kind == "categorical" else ())
    array = pa.nulls(4, type_)
    assert takes(column, array.type)
    encoder = Encoder(Contract(columns=(column,), target=Target(name="y", task="regression")))
    np.testing.assert_array_equal(encoder.encode({"x": encodable(array, column)[0]}), encoder.encode({"x": [None] * 4}))


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("numeric", (pa.string(), pa.bool_(), pa.timestamp("s"), pa.binary(), pa.list_(pa.float64()))),
        ("boolean", (pa.timestamp("s"), pa.binary(), pa.struct({"x": pa.bool_()}))),
        ("datetime", (pa.int64(), pa.float64(), pa.bool_(), pa.time64("us"), pa.duration("s"))),
        (
            "categorical",
            (pa.int64(), pa.bool_(), pa.binary(), pa.string_view(), pa.run_end_encoded(pa.int32(), pa.string())),
        ),
    ],
)
def test_types_that_are_of_another_kind(kind: str, types: tuple[pa.DataType, ...]) -> None:
    column = Column(name="x", kind=kind, vocabulary=("a",) if kind == "categorical" else ())
    assert [str(each) for each in types if takes(column, each)] == []
    assert [each for each in types if takes(column, pa.dictionary(pa.int8(), each))] == []


@pytest.mark.parametrize(
    ("kind", "array", "wrong"),
    [
        ("boolean", pa.array(["true", "yes", None, "yes"]), [1, 3]),
        ("boolean", pa.array([0, 1, 2, None]), [2]),
        ("boolean", pa.array([0.5, float("nan"), 1.0]), [0]),
        ("datetime", pa.array(["2024-01-01", "soon", None, "20-1-1"]), [1, 3]),
        ("datetime", pa.array([0, 10**13, None, -(10**13)], pa.timestamp("s")), [1, 3]),
        ("datetime", pa.array([0, 10**7], pa.date32()), [1]),
    ],
)
def test_rows_that_stand_for_nothing(kind: str, array: pa.Array, wrong: list[int]) -> None:
    assert np.flatnonzero(encodable(array, Column(name="x", kind=kind))[1]).tolist() == wrong


def test_numbers_are_not_copied() -> None:
    held = np.arange(10.0)
    values, _ = encodable(pa.array(held), Column(name="x", kind="numeric"))
    assert np.shares_memory(values, held)


def test_a_million_categories_are_no_million_objects() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array(np.tile([0, 1], 500_000)), pa.array(["a", "b"]))
    values, _ = encodable(array, Column(name="x", kind="categorical", vocabulary=("a", "b")))
    assert isinstance(values, Distinct)
    assert len(values.distinct) == 2
    assert len(values) == 1_000_000


def test_pandas_is_not_loaded() -> None:
    code = """
import io, sys
import pyarrow as pa
from modelyard.data import Column
from modelyard.data.arrow import encodable
numbers = pa.Array.from_buffers(pa.int64(), 1, [pa.py_buffer(b"\\1"), pa.py_buffer(bytes(8))])
for kind in ("numeric", "boolean", "datetime", "categorical"):
    encodable(pa.nulls(2), Column(name="x", kind=kind))
encodable(numbers, Column(name="x", kind="numeric"))
encodable(numbers.view(pa.timestamp("ns", "UTC")), Column(name="x", kind="datetime"))
encodable(numbers.cast(pa.string()), Column(name="x", kind="categorical"))
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
