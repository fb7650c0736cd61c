"""Arrow IPC streams that no writer makes: flatbuffers whose entries are the same object many times."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pyarrow as pa

__all__ = ["SHARED", "batches_of", "renumbered", "stream_of"]

END = struct.pack("<iI", -1, 0)
UTF8, TIMESTAMP, STRUCT, UNION = 5, 10, 13, 14
Offset = Any


def stream_of(table: pa.Table, **options: Any) -> bytes:
    """Returns a table as a stream; ``batch_rows`` cuts it into batches."""
    batch_rows = options.pop("batch_rows", None)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return sink.getvalue().to_pybytes()


def batches_of(batches: list[pa.RecordBatch], **options: Any) -> bytes:
    """Returns batches as a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def renumbered(body: bytes, old: int, new: int) -> bytes:
    """Returns a stream with each 64-bit number of one value replaced, such as a length."""
    assert struct.pack("<q", old) in body
    return body.replace(struct.pack("<q", old), struct.pack("<q", new))


class _Schema:
    """A message with a schema in the making."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def table(self, size: int, *offsets: tuple[int, Offset], **numbers: tuple[int, Any]) -> Offset:
        self._builder.StartObject(size)
        for slot, offset in offsets:
            self._builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for form, (slot, number) in numbers.items():
            getattr(self._builder, f"Prepend{form}Slot")(slot, number, 0)
        return self._builder.EndObject()

    def text(self, length: int) -> Offset:
        return self._builder.CreateString("x" * length)

    def same(self, entry: Offset, count: int) -> Offset:
        """A vector with one object many times."""
        self._builder.StartVector(4, count, 4)
        for _ in range(count):
            self._builder.PrependUOffsetTRelative(entry)
        return self._builder.EndVector()

    def numbers(self, count: int) -> Offset:
        return self._builder.CreateNumpyVector(np.arange(count, dtype=np.int32))

    def pairs(self, count: int, length: int) -> Offset:
        text = self.text(length)
        return self.same(self.table(2, (0, text), (1, text)), count)

    def field(self, kind: int, type_table: Offset = None, name: int = 1, *offsets: tuple[int, Offset]) -> Offset:
        type_table = self.table(0) if type_table is None else type_table
        return self.table(7, (0, self.text(name)), (3, type_table), *offsets, Uint8=(2, kind))

    def stream(self, fields: Offset, pairs: Offset = None, message_pairs: Offset = None) -> bytes:
        schema = self.table(4, (1, fields), *([(2, pairs)] if pairs else []))
        further = [(4, message_pairs)] if message_pairs else []
        self._builder.Finish(self.table(5, (2, schema), *further, Int16=(0, 4), Uint8=(1, 1)))
        data = bytes(self._builder.Output())
        data += bytes(-len(data) % 8)
        return struct.pack("<iI", -1, len(data)) + data + END


def _fields(count: int, name: int) -> bytes:
    schema = _Schema()
    return schema.stream(schema.same(schema.field(UTF8, None, name), count))


def _nested(width: int, depth: int) -> bytes:
    schema = _Schema()
    field = schema.field(UTF8)
    for _ in range(depth):
        field = schema.field(STRUCT, None, 1, (5, schema.same(field, width)))
    return schema.stream(schema.same(field, 1))


def _pairs(place: str, count: int, length: int) -> bytes:
    schema = _Schema()
    pairs = schema.pairs(count, length)
    further = [(6, pairs)] if place == "field" else []
    fields = schema.same(schema.field(UTF8, None, 1, *further), 1)
    return schema.stream(fields, pairs if place == "schema" else None, pairs if place == "message" else None)


def _zones(count: int, length: int) -> bytes:
    schema = _Schema()
    kind = schema.table(2, (1, schema.text(length)), Int16=(0, 1))
    return schema.stream(schema.same(schema.field(TIMESTAMP, kind), count))


def _unions(count: int, length: int) -> bytes:
    schema = _Schema()
    kind = schema.table(2, (1, schema.numbers(length)))
    return schema.stream(schema.same(schema.field(UNION, kind), count))


# each takes a hundred times its size where it is read
SHARED: dict[str, Callable[[], bytes]] = {
    "fields": lambda: _fields(40_000, 1),
    "names": lambda: _fields(1000, 200_000),
    "children": lambda: _nested(700, 2),
    "pairs of the schema": lambda: _pairs("schema", 500, 200_000),
    "pairs of a field": lambda: _pairs("field", 500, 200_000),
    "pairs of a message": lambda: _pairs("message", 500, 200_000),
    "time zones": lambda: _zones(500, 200_000),
    "codes of unions": lambda: _unions(500, 50_000),
}
