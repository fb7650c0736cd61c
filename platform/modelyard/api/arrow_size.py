"""Size in memory of an Arrow IPC stream, from its metadata alone.

A few bytes of a stream can stand for gigabytes: buffers declare any length before decompression, several buffers can be
the same bytes, each delta copies its dictionary, and the entries of a flatbuffers vector can all be the same object.
pyarrow allocates all of that before it checks anything, so the metadata are read here first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from modelyard.api.problems import RequestProblem

__all__ = ["StreamSize"]

CONTINUATION = -1
# numbers of fields in the flatbuffers tables of the Arrow format (Message.fbs, Schema.fbs)
HEADER_TYPE, HEADER, BODY_LENGTH, MESSAGE_METADATA = 1, 2, 3, 4
SCHEMA, DICTIONARY_BATCH, RECORD_BATCH = 1, 2, 3
FIELDS, SCHEMA_METADATA = 1, 2
NAME, TYPE_TYPE, TYPE, CHILDREN, FIELD_METADATA = 0, 2, 3, 5, 6
KEY, VALUE = 0, 1
DICTIONARY_ID, DICTIONARY_DATA, IS_DELTA = 0, 1, 2
BUFFERS, COMPRESSION = 2, 3
# types with a text or a list, and the size of its items: the time zone of a timestamp, the codes of a union
TYPE_ITEM_BYTES = {10: 1, 14: 4}
TYPE_ITEMS = 1
BUFFER = struct.Struct("<qq")  # offset and length
LENGTH = struct.Struct("<q")

# objects that pyarrow makes of an entry
FIELD_BYTES, PAIR_BYTES = 128, 64
# how many times the limit the copies of growing dictionaries may take together, and the dictionaries of all batches,
# which are checked with each of them
COPY_FACTOR, CHECK_FACTOR = 4, 64


class StreamSize:
    """Counts what reading one stream would allocate.

    Args:
        limit: Maximum number of bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._copied = 0
        self._checked = 0
        self._dictionaries: dict[int, int] = {}

    def check(self, body: bytes) -> None:
        """Refuse a stream that is larger in memory than the limit.

        Raises:
            RequestProblem: The stream is too large (413).
            ValueError: A length is negative.
            struct.error: The stream is damaged or cut off.
        """
        for message, content in _messages(body):
            self._take_pairs(message, MESSAGE_METADATA)
            kind, header = message.number("<B", HEADER_TYPE), message.table(HEADER)
            if header is None:
                continue
            if kind == SCHEMA:
                self._take_pairs(header, SCHEMA_METADATA)
                self._take_fields(header)
            elif kind == RECORD_BATCH:
                self._checked += sum(self._dictionaries.values())
                self._take_batch(header, content)
            elif kind == DICTIONARY_BATCH and (data := header.table(DICTIONARY_DATA)):
                self._take_dictionary(header, self._take_batch(data, content))

    def _take(self, size: int) -> None:
        if size < 0:
            raise ValueError("a length is negative")
        self._taken += size
        factors = self._taken, self._copied / COPY_FACTOR, self._checked / CHECK_FACTOR
        if max(factors) > self._limit:
            raise RequestProblem(
                413,
                f"the stream takes more than {self._limit:,} bytes in memory; send the rows in several requests, each "
                "in one batch",
            )

    def _take_pairs(self, owner: _Table, number: int) -> None:
        for pair in owner.tables(number):
            self._take(PAIR_BYTES + pair.count(KEY) + pair.count(VALUE))

    def _take_fields(self, schema: _Table) -> None:
        waiting = [schema.tables(FIELDS)]
        while waiting:
            field = next(waiting[-1], None)
            if field is None:
                waiting.pop()
                continue
            self._take(FIELD_BYTES + field.count(NAME))
            self._take_pairs(field, FIELD_METADATA)
            item_bytes = TYPE_ITEM_BYTES.get(field.number("<B", TYPE_TYPE))
            if item_bytes and (kind := field.table(TYPE)):
                self._take(item_bytes * kind.count(TYPE_ITEMS))
            waiting.append(field.tables(CHILDREN))

    def _take_batch(self, batch: _Table, content: memoryview) -> int:
        """Counts the buffers of a batch as long as they are when decompressed; returns their size."""
        before, compressed = self._taken, batch.table(COMPRESSION) is not None
        start = batch.start(BUFFERS)
        for offset, length in BUFFER.iter_unpack(batch.data[start : start + BUFFER.size * batch.count(BUFFERS)]):
            self._take(length)
            if compressed and length:
                # -1: this one is not compressed
                self._take(max(LENGTH.unpack_from(content, offset)[0] - length, 0))
        return self._taken - before

    def _take_dictionary(self, dictionary: _Table, size: int) -> None:
        number = dictionary.number("<q", DICTIONARY_ID)
        if dictionary.number("<B", IS_DELTA):
            size += self._dictionaries.get(number, 0)
            self._copied += size
        self._dictionaries[number] = size
        self._take(0)


class _Table(NamedTuple):
    """A table of a flatbuffers document, or what is left of it in a damaged one."""

    data: memoryview
    place: int

    def number(self, form: str, number: int) -> int:
        """Returns a field of numbers; 0 where it is absent."""
        place = self._field(number)
        return _unpack(form, self.data, place) if place else 0

    def table(self, number: int) -> _Table | None:
        """Returns a field that is a table; None where it is absent."""
        place = self._field(number)
        return _Table(self.data, place + _unpack("<I", self.data, place)) if place else None

    def tables(self, number: int) -> Iterator[_Table]:
        """Yields the entries of a field that is a vector of tables."""
        start = self.start(number)
        for place in range(start, start + 4 * self.count(number), 4):
            yield _Table(self.data, place + _unpack("<I", self.data, place))

    def count(self, number: int) -> int:
        """Returns the number of entries of a vector, or of bytes of a text; 0 where it is absent."""
        start = self.start(number)
        return _unpack("<I", self.data, start - 4) if start else 0

    def start(self, number: int) -> int:
        """Returns where the entries of a vector begin; 0 where it is absent."""
        place = self._field(number)
        return place + _unpack("<I", self.data, place) + 4 if place else 0

    def _field(self, number: int) -> int:
        places = self.place - _unpack("<i", self.data, self.place)
        entry = 4 + 2 * number
        offset = _unpack("<H", self.data, places + entry) if entry < _unpack("<H", self.data, places) else 0
        return self.place + offset if offset else 0


def _messages(body: bytes) -> Iterator[tuple[_Table, memoryview]]:
    """Yields the metadata of each message of a stream, and the body that follows it."""
    view, place = memoryview(body), 0
    while place + 4 <= len(view):
        length = _unpack("<i", view, place)
        place += 4
        if length == CONTINUATION:
            length = _unpack("<i", view, place)
            place += 4
        if length <= 0:
            return
        data = view[place : place + length]
        message = _Table(data, _unpack("<I", data, 0))
        size = message.number("<q", BODY_LENGTH)
        if size < 0:
            raise ValueError("a length is negative")
        place += length
        yield message, view[place : place + size]
        place += size


def _unpack(form: str, data: memoryview, place: int) -> int:
    if place < 0:
        raise ValueError("an offset is negative")
    return int(struct.unpack_from(form, data, place)[0])
