"""A log of what was predicted of what, as Parquet files that each appear whole.

Answering only keeps the encoded row and its scores; a thread turns them into columns and writes them. When storage is
slow what waits has a bound, beyond which rows are dropped and counted: an answer never waits.
"""

from __future__ import annotations

import binascii
import datetime as dt
import itertools
import logging
import os
import random
import threading
import time
from array import array
from functools import partial
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter

from modelyard.config.models import PredictionLogSettings
from modelyard.data.contract import Contract
from modelyard.data.decoding import chosen, decode, equally_long, labels, texts, values
from modelyard.data.encoding import features_of
from modelyard.data.sources import write_bytes
from modelyard.errors import ConfigError, nearest
from modelyard.models.model import Model
from modelyard.monitoring.observed import OWN_COLUMNS, TIME
from modelyard.utils.sentences import first_line

__all__ = ["PredictionLog"]

logger = logging.getLogger(__name__)

Rows = NDArray[np.floating]

CLOSE_S = 10.0
# what a row takes beside its numbers where it came alone: its id, and three objects
OVERHEAD_BYTES = 256


class _Batch:
    """Rows of one file to be, in pieces as they came: no other object for each would leave the garbage collector alone.

    One buffer that grows with them would be copied nine times over.
    """

    def __init__(self) -> None:
        self.size = 0
        # when rows came together, how many, and whether they have ids
        self.moments, self.counts, self.identified = array("d"), array("q"), array("b")
        self.ids, self.rows, self.scores = list[bytes | bytearray](), list[bytes](), list[bytes]()

    def add(self, ids: bytes | bytearray, rows: Rows, scores: Rows) -> None:
        self.size += len(rows)
        self.moments.append(time.time())
        self.counts.append(len(rows))
        self.identified.append(bool(ids))
        self.ids.append(ids)
        self.rows.append(rows.tobytes())
        self.scores.append(scores.tobytes())


class PredictionLog:
    """Logs the predictions of one process.

    Args:
        settings: Where, how often and how much.
        model: That predicts.
        registry: Where it counts what became of rows.

    Raises:
        ConfigError: The address means nothing, or a column to leave out is not there.
    """

    def __init__(self, settings: PredictionLogSettings, model: Model, registry: CollectorRegistry) -> None:
        assert settings.url is not None
        self._model = model
        self._contract = contract = model.contract
        self._sample, self._full, self._seconds = settings.sample, settings.rows, settings.seconds
        self._redacted, self._options = settings.redact, settings.options
        self._versions = texts([model.version])
        self._folder = settings.url.rstrip("/")
        _check(settings, contract)
        self._width = len(features_of(contract))
        self._dtype, self._number = model.dtype, pa.from_numpy_dtype(model.dtype)
        self._labels = labels(contract.target.classes) if contract.target.classes else None
        self._most = int(
            settings.buffer_mb * 2**20 / (4 * (self._width + len(contract.target.classes)) + OVERHEAD_BYTES)
        )
        self._batch, self._room = _Batch(), self._most
        self._random = np.random.default_rng()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        # a pod that starts again may have its name and its process number again
        self._numbers = itertools.count(int(time.time() * 1000))
        counted = Counter(
            "modelyard_prediction_log_rows_total",
            "Rows for the prediction log by what became of them: written, dropped (too many waited), failed.",
            ["outcome"],
            registry=registry,
        )
        self._written, self._dropped, self._failed = (
            counted.labels(outcome) for outcome in ("written", "dropped", "failed")
        )

    def add(self, ids: bytes | bytearray, rows: Rows, scores: Rows) -> None:
        """Takes rows that were predicted together; all of them or, by the sampling rate, none.

        Args:
            ids: Of the predictions, one after the other and equally long; empty: they have none.
            rows: The encoded matrix, shape (n, features).
            scores: Probabilities, shape (n, classes), or values, shape (n,) or (n, 1).
        """
        if self._sample == 1 or random.random() < self._sample:
            self._add(ids, rows, scores)

    def add_each(self, ids: bytes | bytearray, rows: Rows, scores: Rows) -> None:
        """Takes rows that were predicted one by one, each by the sampling rate; given as `add` has them."""
        if self._sample < 1:
            chosen = self._random.random(len(rows)) < self._sample
            rows, scores = rows[chosen], scores[chosen]
            ids = np.frombuffer(ids, dtype=np.uint8).reshape(len(chosen), -1)[chosen].tobytes()
        self._add(ids, rows, scores)

    def _add(self, ids: bytes | bytearray, rows: Rows, scores: Rows) -> None:
        count = len(rows)
        if not count:
            return
        with self._lock:
            has_room = self._room >= count
            if has_room:
                self._room -= count
                self._batch.add(ids, rows, scores.astype(self._dtype, copy=False))
        if not has_room:
            self._dropped.inc(count)
        if self._batch.size >= self._full:
            self._wake.set()
        if self._thread is None:
            self._start()

    def close(self) -> None:
        """Writes what waits; gives storage some seconds for it."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="modelyard-prediction-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(self._seconds)
            self._wake.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            batch, self._batch = self._batch, _Batch()
        count = batch.size
        if not count:
            return
        try:
            write_bytes(self._path(batch.moments[0]), partial(_save, self._table(batch)), self._options)
        except Exception as error:  # each storage raises what it likes, and the thread has to go on
            logger.error("%d rows of the prediction log are lost: %s", count, first_line(error))
            self._failed.inc(count)
        else:
            self._written.inc(count)
        with self._lock:
            # what was being written took its part of the memory too
            self._room += count

    def _path(self, at: float) -> str:
        moment = dt.datetime.fromtimestamp(at, dt.UTC)
        name = f"{os.uname().nodename}-{os.getpid()}-{next(self._numbers)}.parquet"
        return f"{self._folder}/date={moment:%Y-%m-%d}/hour={moment:%H}/{name}"

    def _table(self, batch: _Batch) -> pa.Table:
        rows = np.frombuffer(b"".join(batch.rows), dtype=np.float32).reshape(-1, self._width)
        columns = decode(self._contract, rows)
        for name in self._redacted:
            columns.pop(name)
        counts = np.array(batch.counts)
        at = np.repeat((np.array(batch.moments) * 1e6).astype(np.int64), counts)
        identified = np.repeat(np.array(batch.identified, dtype=np.bool_), counts)
        scores = np.frombuffer(b"".join(batch.scores), dtype=self._dtype)
        own = (
            values(at, pa.timestamp("us", tz="UTC")),
            equally_long(binascii.b2a_base64(b"".join(batch.ids), newline=False), ~identified),
            chosen(np.zeros(len(rows), np.int32), self._versions),
            self._predicted(scores.reshape(len(rows), -1)),
            pa.FixedSizeListArray.from_arrays(values(scores, self._number), len(scores) // len(rows)),
        )
        return pa.Table.from_arrays([*own, *columns.values()], names=[*OWN_COLUMNS, *columns])

    def _predicted(self, scores: NDArray[np.floating]) -> pa.Array:
        if self._labels is None:
            return values(scores[:, 0], self._number)
        return chosen(self._model.codes(scores).astype(np.int32), self._labels)


def _save(table: pa.Table, file: IO[bytes]) -> None:
    # a dictionary of numbers costs ten times as much, and is given up anyway
    worth = [field.name for field in table.schema if pa.types.is_dictionary(field.type)]
    # what is looked for is a time
    # in one piece: each call of a file's `write` waits for whatever thread runs Python
    whole = pa.BufferOutputStream()
    pq.write_table(table, whole, use_dictionary=worth, write_statistics=[TIME])
    file.write(whole.getvalue())


def _check(settings: PredictionLogSettings, contract: Contract) -> None:
    assert settings.url is not None
    if "://" not in settings.url and not os.path.isabs(settings.url):
        # a bento runs in its own folder
        hint = f"name the whole path, such as {os.path.abspath(settings.url)}, or a URL"
        raise ConfigError("serving.prediction_log.url", f"{settings.url!r} depends on where it runs", hint=hint)
    try:
        url_to_fs(settings.url, **settings.options)
    except (ImportError, ValueError) as error:
        raise ConfigError("serving.prediction_log.url", f"{settings.url} cannot be used: {error}") from None
    for name in settings.redact:
        if name not in contract.names:
            hint = nearest(name, contract.names)
            raise ConfigError("serving.prediction_log.redact", f"there is no column {name!r}", hint=hint)
