"""Arrow IPC streams that are cheap to send and were, or might be, dear to read."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from modelyard.data.contract import Contract

__all__ = ["ARROW", "legal_arrow", "two_dictionaries"]

TEXT, NUMBER = "model_config", "age"
MEBIBYTE = 2**20
MAX_ROWS = 1000


def stream(schema: pa.Schema, batches: Iterable[pa.RecordBatch], **options: Any) -> bytes:
    """Returns batches as a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def legal_arrow(contract: Contract, rows: int = 100) -> bytes:
    """Returns rows as the service wants them."""
    batch = _batch(contract, rows)
    return stream(batch.schema, [batch])


def two_dictionaries(contract: Contract) -> bytes:
    """Returns a legal stream of two batches whose int8 dictionaries fit no int8 dictionary together."""
    codes = pa.array(np.arange(100), pa.int8())
    halves = [pa.array([f"{half} {number}" for number in range(100)]) for half in range(2)]
    batches = [_batch(contract, 100, pa.DictionaryArray.from_arrays(codes, texts)) for texts in halves]
    return stream(batches[0].schema, batches)


def _batch(contract: Contract, rows: int, texts: pa.Array | None = None) -> pa.RecordBatch:
    """Returns legal rows, with other values in the column of texts where they are given."""
    columns = {name: pa.array([value] * rows) for name, value in contract.example.items()}
    if texts is not None:
        columns[TEXT] = texts
    return pa.RecordBatch.from_pydict(columns)


def _texts(contract: Contract, texts: pa.Array, **options: Any) -> bytes:
    batch = _batch(contract, len(texts), texts)
    return stream(batch.schema, [batch], **options)


def _views(contract: Contract, kind: pa.DataType) -> bytes:
    """Every row is a view of the same mebibyte."""
    text = b"x" * MEBIBYTE
    view = struct.pack("<i4sii", len(text), text[:4], 0, 0)
    buffers = [None, pa.py_buffer(view * MAX_ROWS), pa.py_buffer(text)]
    return _texts(contract, pa.Array.from_buffers(kind, MAX_ROWS, buffers))


def _dictionary(contract: Contract, texts: pa.Array) -> pa.RecordBatch:
    return _batch(contract, 1, pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), texts))


def _delta_dictionaries(contract: Contract) -> bytes:
    """Each of many deltas makes a reader copy a long dictionary."""
    texts = pa.array([*["x" * 1000] * 1000, *map(str, range(MAX_ROWS))])
    batches = [_dictionary(contract, texts[: 1000 + number]) for number in range(MAX_ROWS)]
    return stream(batches[0].schema, batches, emit_dictionary_deltas=True)


def _replaced_dictionaries(contract: Contract) -> bytes:
    batches = [_dictionary(contract, pa.array([f"{number} {'x' * 1000}"])) for number in range(MAX_ROWS)]
    return stream(batches[0].schema, batches)


def _one(array: pa.Array, count: int = 1, **options: Any) -> bytes:
    """Returns batches of a single column; a service may look at other columns first, and at the length of this one."""
    batch = pa.RecordBatch.from_arrays([array], [NUMBER])
    return stream(batch.schema, [batch] * count, **options)


def _run_ends() -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array([2**31 - 1], pa.int32()), pa.array([1.0]))


def _many_columns(count: int) -> bytes:
    batch = pa.RecordBatch.from_pydict({f"column {number}": pa.array([1.0]) for number in range(count)})
    return stream(batch.schema, [batch])


def _deep(depth: int) -> bytes:
    kind = pa.float64()
    for _ in range(depth):
        kind = pa.list_(kind)
    return stream(pa.schema([(NUMBER, kind)]), [])


def _metadata(size: int) -> bytes:
    return stream(pa.schema([(NUMBER, pa.float64())], metadata={"x": "y" * (size - 1000)}), [])


def _damaged(contract: Contract) -> bytes:
    return bytes(byte ^ (place % 61 == 0) for place, byte in enumerate(legal_arrow(contract)))


ARROW: Mapping[str, Callable[[Contract], bytes]] = {
    "overlapping text views": lambda contract: _views(contract, pa.string_view()),
    "overlapping binary views": lambda contract: _views(contract, pa.binary_view()),
    "delta dictionaries": _delta_dictionaries,
    "dictionaries that replace each other": _replaced_dictionaries,
    "compressed zeros": lambda _: _one(pa.array(np.zeros(MEBIBYTE)), 500, compression="zstd"),
    "compressed zeros, LZ4": lambda _: _one(pa.array(np.zeros(MEBIBYTE)), 100, compression="lz4"),
    "compressed texts": lambda contract: _texts(contract, pa.array(["x" * 64_000] * MAX_ROWS), compression="zstd"),
    "a compressed dictionary": lambda contract: _texts(
        contract, pa.array(["x" * (64 * MEBIBYTE)]).dictionary_encode(), compression="zstd"
    ),
    "rows without bytes": lambda _: _one(pa.nulls(2**31 - 1)),
    "run-end encoded rows": lambda _: _one(_run_ends()),
    "many columns": lambda _: _many_columns(15_000),
    "deep types": lambda _: _deep(400),
    "many empty batches": lambda _: _one(pa.array([], pa.float64()), 20_000),
    "many batches of one row": lambda _: _one(pa.array([1.0]), MAX_ROWS),
    "long texts": lambda contract: _texts(contract, pa.array(["x" * 3000] * MAX_ROWS)),
    "long metadata": lambda _: _metadata(4 * MEBIBYTE),
    "a message of 2 GiB": lambda _: b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(100),
    "damaged": _damaged,
}
