"""Fuzzes Arrow streams, whole and damaged, against the values that pyarrow itself gives."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import atheris
import numpy as np
import pyarrow as pa
from fuzzing import MAX_BYTES, MAX_ROWS, Subject, check_refusal, fuzz

from arrow_streams import SHARED, batches_of
from modelyard.api.arrow import ArrowFormat
from modelyard.data.arrow import takes
from modelyard.data.contract import Column, Contract

MOMENT = dt.datetime(2024, 2, 29, 23, 59, 59)
VALUES: dict[str, list[Any]] = {
    "numeric": [None, 0, 1, 2, 30, 255, -(2**31), 2**63 - 1, 2.5, float("nan"), float("inf"), 1e308, Decimal("1.50")],
    "categorical": [None, "", "1", "2.5", "Private", "Größe x", "?", "x" * 300, 1, 2.5, 30, Decimal("1.50")],
    "boolean": [None, True, False, 0, 1, 1.0, 2, "true", " FALSE", "1", "yes"],
    "datetime": [None, "2024-01-01", "2024-02-29T10:00Z", "soon", MOMENT, MOMENT.date()],
}
TYPES = [
    *(pa.int8(), pa.int32(), pa.int64(), pa.uint8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_()),
    *(pa.string(), pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.null(), pa.list_(pa.int8())),
    *(pa.timestamp("s"), pa.timestamp("ns", "UTC"), pa.date32(), pa.date64(), pa.decimal128(9, 2), pa.duration("s")),
]
INDICES = [pa.int8(), pa.uint8(), pa.int32(), pa.uint64()]
COMPRESSIONS = [None, None, "lz4", "zstd"]


class Streams:
    """What answers the streams of one contract."""

    def __init__(self, subject: Subject) -> None:
        self.contract, self.encoder, self.model = subject.contract, subject.encoder, subject.predictor.model
        self.format = ArrowFormat(subject.predictor, MAX_BYTES)

    def answer(self, body: bytes) -> None:
        """Answers a stream, and reads it again one value at a time."""
        try:
            answer = self.format(body)
        except Exception as error:
            check_refusal(error)
            return
        scores = pa.ipc.open_stream(answer.body).read_all()
        assert len(scores) == answer.rows
        expected = self._expected(body)
        if expected is not None:
            found = np.stack([column.to_numpy() for column in scores.columns[1:] or scores.columns], axis=1)
            np.testing.assert_array_equal(found.reshape(expected.shape), expected)

    def _expected(self, body: bytes) -> Any:
        table: dict[str, list[Any]] = {name: [] for name in self.contract.names}
        for batch in pa.ipc.open_stream(body):
            given = dict(zip(batch.schema.names, batch.columns, strict=True))
            for name, values in table.items():
                # Python has no such dates or times as some of Arrow's are
                with contextlib.suppress(ValueError, OverflowError, pa.ArrowException):
                    values += given[name].to_pylist() if name in given else [None] * batch.num_rows
        if len({*map(len, table.values())}) != 1:
            return None
        plain = {
            name: [float(value) if isinstance(value, Decimal) else value for value in values]
            for name, values in table.items()
        }
        return self.model.scorer(self.encoder.encode(plain))


def _stream(data: atheris.FuzzedDataProvider, contract: Contract) -> bytes:
    """Batches of types that most often fit the columns, compressed or not, of dictionaries or not."""
    columns = [column for column in contract.columns if data.ConsumeIntInRange(0, 15)]
    names = [column.name for column in columns]
    types = [data.PickValueInList(_types(column) if data.ConsumeIntInRange(0, 15) else TYPES) for column in columns]
    indices = [data.PickValueInList(INDICES) if data.ConsumeIntInRange(0, 2) == 0 else None for _ in names]
    batches = []
    for _ in range(data.ConsumeIntInRange(1, 3)):
        rows = data.ConsumeIntInRange(0, MAX_ROWS // 2)
        arrays = [
            _array(data, VALUES[column.kind], kind, index, rows)
            for column, kind, index in zip(columns, types, indices, strict=True)
        ]
        batches.append(pa.RecordBatch.from_arrays(arrays, names=names))
    options = {"compression": data.PickValueInList(COMPRESSIONS), "emit_dictionary_deltas": data.ConsumeBool()}
    return batches_of(batches, **options)


def _types(column: Column) -> list[pa.DataType]:
    return [kind for kind in TYPES if takes(column, kind)]


def _array(
    data: atheris.FuzzedDataProvider, choices: list[Any], kind: pa.DataType, index: pa.DataType | None, rows: int
) -> pa.Array:
    values = [data.PickValueInList(choices) for _ in range(rows)]
    if index is None:
        return _typed(values, kind)
    places = [data.ConsumeIntInRange(0, rows - 1) if data.ConsumeBool() else None for _ in range(rows)]
    return pa.DictionaryArray.from_arrays(pa.array(places, index), _typed(values, kind))


def _typed(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The values that there are in a type, and nulls for the others."""
    found = []
    for value in values:
        try:
            pa.array([value], kind)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            value = None
        found.append(value)
    return pa.array(found, kind)


def _damaged(data: atheris.FuzzedDataProvider, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(data.ConsumeIntInRange(0, 4)):
        place = data.ConsumeIntInRange(0, len(changed) - 1)
        part = data.PickValueInList([b"\0", b"\xff", b"\1", b"\xff" * 8, bytes(7) + b"\x80", data.ConsumeBytes(4)])
        changed[place : place + len(part)] = part
    return bytes(changed)


def _seeds() -> Iterator[bytes]:
    """Streams of drawn columns, plain and to be damaged, and those of shared objects where they are short."""
    for number in range(40):
        draw = np.random.default_rng(number)
        yield bytes([number % 5 + 5 * (number % 3)]) + draw.bytes(300)
    yield from (b"\0" + body for make in SHARED.values() if len(body := make()) < 2**16)


def _prepare(subjects: list[Subject]) -> Callable[[bytes], None]:
    streams = [Streams(subject) for subject in subjects]

    def check(given: bytes) -> None:
        if not given:
            return
        subject, way = streams[given[0] % len(streams)], given[0] // len(streams) % 3
        if way == 0:
            subject.answer(given[1:])
            return
        data = atheris.FuzzedDataProvider(given[1:])
        try:
            body = _stream(data, subject.contract)
        except pa.ArrowException:  # a delta cannot be written for each dictionary
            return
        subject.answer(_damaged(data, body) if way == 2 else body)

    return check


if __name__ == "__main__":
    fuzz(_prepare, _seeds)
