from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import FIRST_CODE, UNKNOWN_CODE, Encoder, category_text, features_of
from modelyard.data.rows import RowEncoder, TypedEncoder, category_codes, takes_numbers
from modelyard.errors import ContractViolation

CATEGORIES = ("Private", "3", "2.5", "03", "3.0", "", "True", "ü", "inf", "9007199254740993", "10000000000000000")
COLUMNS = (
    Column(name="when", kind="datetime"),
    Column(name="x", kind="numeric"),
    Column(name="city", kind="categorical", vocabulary=CATEGORIES),
    Column(name="flag", kind="boolean"),
    Column(name="n", kind="numeric", integer=True),
    Column(name="then", kind="datetime"),
)
# what a typed decoder gives for each kind
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
NAMES = st.sampled_from(CATEGORIES) | st.text(max_size=5)
SAME = st.sampled_from([3, 3.0, 2.5, 2**53 + 1, float(2**53 + 1), 10**16, 1e16, 1e300, 10**300, -0.0])
OFFSETS = st.none() | st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
DATES = st.datetimes(timezones=OFFSETS).map(dt.datetime.isoformat) | st.dates().map(dt.date.isoformat)
FORMS = ["20240229T103000,5Z", "2024-W09-4", " 2024-02-29 ", "2024-02-29 10:30+05:45", "1969-12-31T23:59:59.999999"]
VALUES = {
    "numeric": NUMBERS,
    "categorical": NAMES | NUMBERS | SAME,
    "boolean": st.booleans() | st.sampled_from([0, 1]),
    "datetime": DATES | st.sampled_from(FORMS),
}
ROWS = st.tuples(*(st.none() | VALUES[column.kind] for column in COLUMNS))


def contract_of(*columns: Column) -> Contract:
    return Contract(columns=columns, target=Target(name="y", task="regression"))


def same_bits(left: np.ndarray, right: np.ndarray) -> None:
    np.testing.assert_array_equal(left.view(np.uint32), right.view(np.uint32))


CONTRACT = contract_of(*COLUMNS)
ENCODER, TYPED = Encoder(CONTRACT), TypedEncoder(CONTRACT)
MATRIX = np.zeros((1, len(features_of(CONTRACT))), dtype=np.float32)
ROW = RowEncoder(CONTRACT, MATRIX)


@settings(max_examples=400, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=4))
def test_three_ways_of_encoding_give_the_same_bits(rows: list[tuple[Any, ...]]) -> None:
    table = dict(zip(CONTRACT.names, zip(*rows, strict=True), strict=True))
    try:
        expected = ENCODER.encode(table)
    except ContractViolation:  # an offset leads out of the calendar
        with pytest.raises(ContractViolation):
            TYPED.encode(table)
        return
    same_bits(TYPED.encode(table), expected)
    for place, row in enumerate(rows):
        try:
            ROW(row)
        except OverflowError:
            assert any(isinstance(value, int | float) and abs(value) > 3.4e38 for value in row)
        else:
            same_bits(MATRIX[0], expected[place])


@settings(max_examples=300, deadline=None)
@given(
    vocabulary=st.lists(st.text(max_size=4) | NUMBERS.map(category_text), unique=True, max_size=6).map(tuple),
    value=NAMES | NUMBERS | SAME,
)
def test_a_category_has_the_code_of_its_text(vocabulary: tuple[str, ...], value: Any) -> None:
    column = Column(name="c", kind="categorical", vocabulary=vocabulary)
    text = category_text(value)
    expected = FIRST_CODE + vocabulary.index(text) if text in vocabulary else UNKNOWN_CODE
    assert category_codes(column).get(value, UNKNOWN_CODE) == expected


def test_numbers_stand_for_the_categories_that_they_are_written_as() -> None:
    codes = category_codes(Column(name="c", kind="categorical", vocabulary=CATEGORIES))
    by_text = {text: code for code, text in enumerate(CATEGORIES, FIRST_CODE)}
    assert codes[3] == codes[3.0] == codes["3"] == by_text["3"]
    assert codes["3.0"] == by_text["3.0"] != codes[3.0]
    assert codes[2**53 + 1] == by_text["9007199254740993"]
    assert float(2**53 + 1) not in codes
    assert codes[1e16] == by_text["10000000000000000"]


@pytest.mark.parametrize(
    ("vocabulary", "taken"), [(("a", "3"), True), (("2.5",), True), (("03", "1e3", "nan", "x"), False), ((), False)]
)
def test_numbers_are_taken_where_a_category_is_one(vocabulary: tuple[str, ...], taken: bool) -> None:
    assert takes_numbers(Column(name="c", kind="categorical", vocabulary=vocabulary)) is taken


def test_numbers_are_rounded_to_float32_and_past_it_refused() -> None:
    matrix = np.zeros((1, 1), dtype=np.float32)
    encode = RowEncoder(contract_of(Column(name="x", kind="numeric")), matrix)
    for value in (0.1, 16777217, 2**53 + 1, 1e-46, -1e-45, 3.4028235e38, 3.40282356e38):
        encode((value,))
        assert matrix[0, 0] == np.float32(value)
    encode((-0.0,))
    assert math.copysign(1, matrix[0, 0]) == -1
    for beyond in (3.4028236e38, -1e308):
        with pytest.raises(OverflowError):
            encode((beyond,))


@pytest.mark.parametrize(
    ("kind", "value", "error"),
    [
        ("boolean", 2, KeyError),
        ("boolean", "true", KeyError),
        ("datetime", "yesterday", ValueError),
        ("datetime", "", ValueError),
        ("datetime", "2024-02-30", ValueError),
        ("datetime", "0001-01-01T00:00+23:59", OverflowError),
    ],
)
def test_what_is_of_no_kind_is_refused(kind: Any, value: Any, error: type[Exception]) -> None:
    contract = contract_of(Column(name="x", kind=kind))
    matrix = np.zeros((1, len(features_of(contract))), dtype=np.float32)
    with pytest.raises(error):
        RowEncoder(contract, matrix)((value,))
