"""Arrow IPC streams from and to bytes, within limits and without trusting what a stream says of itself."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from modelyard.api.arrow_size import StreamSize
from modelyard.api.problems import RequestProblem, shorten
from modelyard.utils.sentences import first_line

__all__ = ["open_stream", "read_batches", "write_stream"]

READING = pa.ipc.IpcReadOptions(use_threads=False)


def open_stream(body: bytes, limit: int) -> pa.RecordBatchStreamReader:
    """Returns a reader that knows the schema of a stream and has read nothing else.

    Args:
        body: The stream.
        limit: Maximum size of the stream's content in memory, in bytes.

    Raises:
        RequestProblem: It is no stream or damaged (400), or larger than the limit in memory (413).
    """
    with _named_damage():
        # pyarrow allocates what a stream declares before it looks at the data
        StreamSize(limit).check(body)
        reader = pa.ipc.open_stream(body, options=READING)
        # names that are no text are found when they are asked for
        str([(field.name, field.type) for field in reader.schema])
        return reader


def read_batches(reader: pa.RecordBatchStreamReader, max_rows: int) -> list[pa.RecordBatch]:
    """Reads the batches of a stream that have rows, and checks every length, offset and text in them.

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
            if batch.num_rows:
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
        raise RequestProblem(400, f"the body is no whole Arrow IPC stream: {shorten(first_line(error))}") from None
