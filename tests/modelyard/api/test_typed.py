from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from modelyard.api.decoding import Decoder
from modelyard.api.problems import RequestProblem
from modelyard.api.typed import nameable, request_type
from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import Encoder
from modelyard.data.rows import TypedEncoder
from modelyard.data.violations import Violations
from modelyard.errors import ContractViolation

MAX_ROWS = 3
TREATMENTS = {"on_null": "refuse", "on_unknown": "refuse", "on_range": "refuse"}
COLUMNS = (
    Column(name="x", kind="numeric", minimum=-1.5, maximum=0.1),
    Column(name="x", kind="numeric"),
    Column(name="x", kind="numeric", integer=True, minimum=0.0, maximum=2.0**53),
    Column(name="x", kind="numeric", integer=True, minimum=-1e300, maximum=1e300),
    Column(name="x", kind="numeric", integer=True, minimum=-(2.0**64), maximum=2.0**64),
    Column(name="x", kind="numeric", integer=True, minimum=0.5, maximum=2.5),
    Column(name="x", kind="numeric", integer=True, minimum=0.2, maximum=0.8),
    Column(name="x", kind="categorical", vocabulary=("a", "", "ü", "1e3")),
    Column(name="x", kind="categorical", vocabulary=("1", "2.5", "03", "9007199254740993", "10000000000000000")),
    Column(name="x", kind="categorical"),
    Column(name="x", kind="boolean"),
    Column(name="x", kind="datetime"),
    Column(name="x", kind="datetime", minimum=0.0, maximum=86_400.0),
)
TOKENS = (
    *(
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "-0",
        "-0.0",
        "2",
        "3",
        "1.0",
        "3.0",
        "2.5",
        "0.1",
        "0.10000000000000001",
    ),
    *("1e0", "1e3", "1e16", "10000000000000000", "1e-400", "1e400", "-1e308", "1E+2", "01", "1.", ".5", "+1"),
    *(
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "-9223372036854775809",
        "18446744073709551617",
        str(2**70),
    ),
    *("3.4028235e38", "3.4028236e38", "1" * 400, "NaN", "Infinity", "-Infinity", "nan", "[]", "[1]", "{}", '{"a": 1}'),
    *('""', '"a"', '"A"', '"ü"', '"\\u00fc"', '"u\\u0308"', '"1"', '"2.5"', '"03"', '"1e3"', '"new"', '"true"', '"0"'),
    *('" TRUE "', '"yes"', '"\\ud800"', '"\\ud83d\\ude00"', '"\t"', '"1970-01-01"', '"1970-01-01T12:00:00Z"'),
    *('"19700101"', '"1970-W01-4"', '"1970-01-01T24:00"', '"19700101T120000,5+0130"', '" 1970-01-01 "'),
    *('"1970-01-01x10:00"', '"1970-01-02T00:00:00+00:00"', '"1970-01-03"', '"0001-01-01T00:00+23:59"', '"10:00"'),
    *('"1970-02-30"', '"1970-01-01T10:00:60"', '"1970-01-01T00:00:00.123456789"', "19700101", '"１９７０-01-01"'),
)
JSON = st.sampled_from(TOKENS) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=3,
).map(json.dumps)


def contract_of(*columns: Column) -> Contract:
    return Contract(columns=columns, target=Target(name="y", task="regression"))


class Ways:
    """The narrow type, the wide one, and what defines both."""

    def __init__(self, *columns: Column) -> None:
        self.contract = contract_of(*columns)
        self.decoder = Decoder(self.contract, MAX_ROWS)
        self.encoder, self.typed = Encoder(self.contract), TypedEncoder(self.contract)
        self.violations = Violations(self.contract)
        self.types = {
            narrow: msgspec.json.Decoder(request_type(self.contract, MAX_ROWS, narrow=narrow))
            for narrow in (True, False)
        }

    def fast(self, body: bytes, narrow: bool) -> np.ndarray | None:
        """The matrix as a type reads it; none where it refuses."""
        try:
            rows = [row if type(row) is tuple else astuple(row) for row in self.types[narrow].decode(body).rows]
            if not all(self.is_whole(row) for row in rows):
                return None
            return self.typed.encode(dict(zip(self.contract.names, zip(*rows, strict=True), strict=True)))
        except (msgspec.MsgspecError, RecursionError, ValueError, ContractViolation):
            return None

    def is_whole(self, row: Sequence[Any]) -> bool:
        """What the wide type leaves to its user."""
        columns = zip(self.contract.columns, row, strict=True)
        return all(float(value or 0).is_integer() for column, value in columns if column.integer)

    def slow(self, body: bytes) -> np.ndarray | None:
        try:
            return self.encoder.encode(self.decoder.decode(body)[0])
        except RequestProblem:
            return None

    def hold(self, body: bytes) -> None:
        slow = self.slow(body)
        narrow, wide = self.fast(body, True), self.fast(body, False)
        if slow is not None:
            assert not any(violation.refused for violation in self.violations.find(slow)), body
        if narrow is not None and not any(column.kind == "datetime" for column in self.contract.columns):
            assert self.violations.find(narrow) == []
        for fast in (narrow, wide):
            if fast is None:
                continue
            if slow is None:
                # the wide type leaves categories, and all types dates, to the encoding and to the count of violations
                assert any(violation.refused for violation in self.violations.find(fast)), body
            else:
                np.testing.assert_array_equal(fast, slow)


ALL = [
    Ways(column.model_copy(update={"nullable": nullable, **(TREATMENTS if strict else {})}))
    for column in COLUMNS
    for nullable in (False, True)
    for strict in (False, True)
]


@pytest.mark.parametrize("ways", ALL, ids=lambda ways: f"{ways.contract.columns[0].kind}")
def test_tokens_at_the_edges_are_read_alike(ways: Ways) -> None:
    for token in TOKENS:
        ways.hold(b'{"rows": [{"x": %s}]}' % token.encode())
        ways.hold(b'{"rows": [[%s]], "columns": ["x"]}' % token.encode())


@settings(max_examples=600, deadline=None)
@given(ways=st.sampled_from(ALL), tokens=st.lists(JSON, min_size=1, max_size=MAX_ROWS))
def test_rows_of_any_json_are_read_alike(ways: Ways, tokens: list[str]) -> None:
    for token in tokens:
        ways.hold(f'{{"rows": [{{"x": {token}}}]}}'.encode(errors="surrogatepass"))
    together = ", ".join(f"[{token}]" for token in tokens)
    body = f'{{"rows": [{together}]}}'.encode(errors="surrogatepass")
    slow = ways.slow(body)
    for fast in (ways.fast(body, True), ways.fast(body, False)):
        if fast is not None and slow is not None:
            np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize(
    ("column", "narrow", "wide", "neither"),
    [
        (Column(name="x", kind="numeric"), ["1", "-0.5", "1e300"], ["null"], ["NaN", '"1"', "true", "1e999"]),
        (Column(name="x", kind="numeric", nullable=True), ["1", "null"], [], ['""']),
        (Column(name="x", kind="numeric", on_null="refuse"), ["1"], [], ["null"]),
        (Column(name="x", kind="numeric", minimum=0, maximum=9), ["0", "9"], ["-0.1", "10"], []),
        (Column(name="x", kind="numeric", minimum=0, maximum=9, on_range="refuse"), ["9"], [], ["-0.1", "10"]),
        (Column(name="x", kind="numeric", integer=True, minimum=0, maximum=9), ["3"], ["3.0", "10"], []),
        (Column(name="x", kind="categorical", vocabulary=("a", "b")), ['"a"'], ['"c"', '""', "null"], ["1", "true"]),
        (Column(name="x", kind="categorical", vocabulary=("1", "2.5")), ['"1"', "1"], ["2.5", "1.0", "7"], ["true"]),
        (Column(name="x", kind="boolean"), ["true", "false"], ["0", "1", "null"], ["1.0", '"true"']),
        (Column(name="x", kind="datetime"), ['"2024-01-01"'], ["null"], ["20240101"]),
    ],
    ids=lambda value: value.kind if isinstance(value, Column) else "",
)
def test_natural_values_take_the_narrow_type(
    column: Column, narrow: Sequence[str], wide: Sequence[str], neither: Sequence[str]
) -> None:
    ways = Ways(column)

    def taken(token: str) -> tuple[bool, bool]:
        body = b'{"rows": [[%s]]}' % token.encode()
        return ways.fast(body, True) is not None, ways.fast(body, False) is not None

    assert {token: taken(token)[0] for token in narrow} == dict.fromkeys(narrow, True)
    assert {token: taken(token) for token in wide} == dict.fromkeys(wide, (False, True))
    assert {token: taken(token) for token in neither} == dict.fromkeys(neither, (False, False))


@pytest.mark.parametrize(
    "body",
    [
        b'{"rows": []}',
        b'{"rows": [[1],[1],[1],[1]]}',
        b'{"rows": [[1]], "row": 1}',
        b'{"rows": [{"x": 1, "z": 1}]}',
        b'{"rows": [{}]}',
        b'{"rows": [[1, 2]]}',
        b'{"rows": [[1]], "columns": ["z"]}',
        b'{"rows": [[1]], "columns": []}',
        b'{"rows": [[1]], "timing": null}',
        b'{"rows": [[1]]} ,',
        b"\xef\xbb\xbf" + b'{"rows": [[1]]}',
        b'{"rows": [[1]]}'.decode().encode("utf-16"),
        b'{"rows": [{"\xff": 1}]}',
        b'{"rows": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    ],
    ids=range(14),
)
def test_a_frame_that_is_wrong_is_taken_by_no_way(body: bytes) -> None:
    ways = Ways(Column(name="x", kind="numeric"))
    assert ways.fast(body, True) is ways.fast(body, False) is ways.slow(body) is None


@pytest.mark.parametrize("narrow", [True, False])
def test_the_last_of_equal_keys_counts(narrow: bool) -> None:
    ways = Ways(Column(name="x", kind="numeric"), Column(name="z", kind="numeric"))
    for body in (b'{"rows": [[1, 1]], "rows": [{"x": 1, "x": 5, "z": 2}]}', b'{"rows": [{"x": 5, "z": 1, "z": 2}]}'):
        fast = ways.fast(body, narrow)
        assert fast is not None
        assert fast.tolist() == [[5, 2]]
        assert ways.slow(body).tolist() == [[5, 2]]


@pytest.mark.parametrize("name", ["", "a.b", "ü 😀", "a'b", "\u2028", "__class__", "rows", "a/b~c"])
def test_a_column_of_any_name_is_read_fast(name: str) -> None:
    ways = Ways(Column(name=name, kind="numeric"))
    for body in ({"rows": [{name: 7}]}, {"rows": [[7]], "columns": [name]}):
        fast = ways.fast(json.dumps(body).encode(), True)
        assert fast is not None
        assert fast.tolist() == [[7]]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\x00"])
def test_a_name_that_no_field_can_have_is_left_to_the_decoder(name: str) -> None:
    assert not nameable(name)
    ways = Ways(Column(name=name, kind="numeric"))
    named = json.dumps({"rows": [{name: 7}]}).encode()
    assert ways.fast(named, True) is None
    assert ways.slow(named).tolist() == [[7]]
    listed = ways.fast(json.dumps({"rows": [[7]], "columns": [name]}).encode(), True)
    assert listed is not None
