"""Sizes of streams before pyarrow allocates anything; `test_arrow` asks the service."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from arrow_streams import SHARED, batches_of, renumbered, stream_of
from modelyard.api import arrow_stream
from modelyard.api.arrow_size import StreamSize
from modelyard.api.arrow_stream import open_stream, read_batches
from modelyard.api.problems import RequestProblem

LIMIT = 2**20
TEXTS = pa.dictionary(pa.int32(), pa.string())


def growing(batches: int, length: int) -> bytes:
    """A stream whose dictionary gets another text with each batch."""
    texts = [f"{number:08}{'x' * length}" for number in range(batches)]
    return batches_of(
        [
            pa.record_batch(
                {"x": pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array(texts[: end + 1]))}
            )
            for end in range(batches)
        ],
        emit_dictionary_deltas=True,
    )


def refused(body: bytes, limit: int = LIMIT) -> bool:
    try:
        StreamSize(limit).check(body)
    except RequestProblem as problem:
        return problem.details.status == 413
    return False


@pytest.mark.parametrize("shared", SHARED)
def test_an_object_counts_as_often_as_it_is_there(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = SHARED[shared]()
    assert len(body) < 2 * LIMIT
    monkeypatch.setattr(arrow_stream.pa.ipc, "open_stream", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(RequestProblem) as found:
        open_stream(body, LIMIT)
    assert found.value.details.status == 413


@pytest.mark.parametrize("options", [{}, {"compression": "lz4"}, {"compression": "zstd"}, {"batch_rows": 7}], ids=str)
def test_a_stream_takes_about_what_its_columns_do(options: dict[str, Any]) -> None:
    table = pa.table(
        {"a": np.arange(1000.0), "b": ["text"] * 1000, "c": pa.array(["x", None] * 500).dictionary_encode()}
    )
    body = stream_of(table, **options)
    assert not refused(body, table.nbytes + 100_000)
    assert refused(body, 16_000)


def test_the_metadata_that_pandas_adds_are_no_matter() -> None:
    schema = pa.schema(
        [pa.field(f"column {number}", pa.float64()) for number in range(1000)], {"pandas": "x" * 200_000}
    )
    assert not refused(stream_of(pa.table([pa.array([1.0])] * 1000, schema=schema)))


@pytest.mark.parametrize(("batches", "length", "expected"), [(20, 100, False), (90, 1000, False), (200, 1000, True)])
def test_each_delta_copies_its_dictionary(batches: int, length: int, expected: bool) -> None:
    body = growing(batches, length)
    assert len(body) < LIMIT
    assert refused(body) == expected
    if not expected:
        read = read_batches(open_stream(body, LIMIT), batches)
        assert [batch.column(0).to_pylist()[0][:8] for batch in read] == ["00000000"] * batches


def test_each_batch_checks_its_dictionary() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array(["x" * 500_000]))
    batch = pa.record_batch({"x": column})
    assert not refused(batches_of([batch] * 60))
    assert refused(batches_of([batch] * 200))


def test_a_replaced_dictionary_counts_anew() -> None:
    batches = [
        pa.record_batch({"x": pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array([f"{number}" * 1000]))})
        for number in range(8)
    ]
    assert not refused(batches_of(batches), 30_000)
    assert refused(batches_of(batches), 5000)


@pytest.mark.parametrize("length", [-1, -(2**40), 2**40, 2**62])
def test_a_length_that_lies_is_refused(length: int) -> None:
    body = renumbered(stream_of(pa.table({"x": pa.array([1.0] * 111)})), 888, length)
    with pytest.raises(RequestProblem) as found:
        read_batches(open_stream(body, LIMIT), 1000)
    assert found.value.details.status in (400, 413)


def test_a_negative_length_makes_no_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    body = stream_of(pa.table({"a": [1.0] * 111, "b": ["x" * 20_000] * 111}))
    assert len(body) > 2 * LIMIT
    monkeypatch.setattr(arrow_stream.pa.ipc, "open_stream", lambda *_, **__: pytest.fail("read"))
    with pytest.raises(RequestProblem) as found:
        open_stream(renumbered(body, 888, -(2**40)), LIMIT)
    assert found.value.details.detail == "the body is no whole Arrow IPC stream: a length is negative"


@pytest.mark.parametrize("rows", [2**31, 2**60, 2**63 - 1])
def test_rows_without_bytes_are_limited(rows: int) -> None:
    body = renumbered(stream_of(pa.table({"x": pa.nulls(77)})), 77, rows)
    with pytest.raises(RequestProblem) as found:
        read_batches(open_stream(body, LIMIT), 1000)
    assert found.value.details.status in (400, 413)


def test_empty_batches_are_not_kept() -> None:
    batch = pa.record_batch({"x": pa.array([1.0])})
    body = batches_of([batch[:0], batch, *[batch[:0]] * 500, batch])
    assert [each.num_rows for each in read_batches(open_stream(body, LIMIT), 10)] == [1, 1]


def test_streams_of_the_first_format_are_read() -> None:
    table = pa.table({"x": [1.0, 2.0]})
    body = stream_of(table, use_legacy_format=True)
    assert not body.startswith(b"\xff\xff\xff\xff")
    assert read_batches(open_stream(body, LIMIT), 10)[0].column(0).to_pylist() == [1.0, 2.0]
    with pytest.raises(RequestProblem):
        open_stream(body, 100)
