"""Arrow IPC streams from and to bytes, within limits and without trusting what a stream says of itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from modelyard.api.intake import too_large
from modelyard.api.problems import RequestProblem
from modelyard.utils.sentences import first_line

__all__ = ["open_stream", "read_batches", "write_stream"]

# flatbuffers of the Arrow format: numbers of the fields that say how long a buffer will be
HEADER_TYPE, HEADER, DICTIONARY_DATA, BUFFERS, COMPRESSION = 1, 2, 1, 2, 3
DICTIONARY_BATCH, RECORD_BATCH = 2, 3
BUFFER = struct.Struct("<qq")  # offset and length
READING = pa.ipc.IpcReadOptions(use_threads=False)


def open_stream(body: bytes, limit: int) -> pa.RecordBatchStreamReader:
    """Returns a reader that knows the schema of a stream and has read nothing else.

    Args:
        body: The stream.
        limit: Most bytes that compressed buffers may have when inflated.

    Raises:
        RequestProblem: It is no stream or damaged (400), or longer than the limit when inflated (413).
    """
    with _named_damage():
        if sum(map(_inflated, pa.ipc.MessageReader.open_stream(body))) > limit:
            raise too_large(limit)
        reader = pa.ipc.open_stream(body, options=READING)
        # names that are no text are found when they are asked for
        str([(field.name, field.type) for field in reader.schema])
        return reader


def read_batches(reader: pa.RecordBatchStreamReader, max_rows: int) -> list[pa.RecordBatch]:
    """Reads all batches of a stream, and checks every length, offset and text in them.

    Raises:
        RequestProblem: The stream is cut off or damaged (400), or has too many rows (413).
    """
    batches, rows = [], 0
    with _named_damage():
        for batch in reader:
            rows += batch.num_rows
            if rows > max_rows:
                raise RequestProblem(413, f"more than {max_rows} rows are too many for one request; send several")
            batch.validate(full=True)
            batches.append(batch)
    return batches


def write_stream(batches: Sequence[pa.RecordBatch]) -> bytes:
    """Returns one or more batches of the same schema as a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


@contextmanager
def _named_damage() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise RequestProblem(400, f"the body is no whole Arrow IPC stream: {first_line(error)}") from None


def _inflated(message: pa.Message) -> int:
    """Returns how long a batch's buffers say that they are when inflated; 0 where they are not compressed.

    A few compressed bytes can stand for gigabytes, and pyarrow reserves them before it looks.
    """
    data, body = message.metadata.to_pybytes(), message.body
    root = _follow(data, 0)
    kind = _number("<B", data, _field(data, root, HEADER_TYPE))
    if kind not in (DICTIONARY_BATCH, RECORD_BATCH):
        return 0
    batch = _follow(data, _field(data, root, HEADER))
    if kind == DICTIONARY_BATCH:
        batch = _follow(data, _field(data, batch, DICTIONARY_DATA))
    if not _field(data, batch, COMPRESSION):
        return 0
    buffers = _follow(data, _field(data, batch, BUFFERS))
    places = BUFFER.iter_unpack(data[buffers + 4 : buffers + 4 + BUFFER.size * _number("<I", data, buffers)])
    return sum(max(_number("<q", body, offset), length) for offset, length in places if length)


def _field(data: bytes, table: int, number: int) -> int:
    """Returns where a field of a flatbuffers table is; 0 where it is not there."""
    places = table - _number("<i", data, table)
    entry = 4 + 2 * number
    offset = _number("<H", data, places + entry) if entry < _number("<H", data, places) else 0
    return table + offset if offset else 0


def _follow(data: bytes, place: int) -> int:
    return place + _number("<I", data, place)


def _number(form: str, data: bytes, place: int) -> int:
    return int(struct.unpack_from(form, data, place)[0])
