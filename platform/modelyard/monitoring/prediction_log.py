"""A log of what was predicted of what, as Parquet files that each appear whole.

Answering only keeps the encoded row and its scores; a thread turns them into columns and writes them. When storage is
slow what waits has a bound, beyond which rows are dropped and counted: an answer never waits.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import os
import random
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from prometheus_client import CollectorRegistry, Counter

from modelyard.config.models import PredictionLogSettings
from modelyard.data.contract import Contract
from modelyard.data.decoding import decode
from modelyard.data.encoding import features_of
from modelyard.data.sources import write_bytes
from modelyard.errors import ConfigError, ModelyardError, nearest
from modelyard.monitoring.observed import OWN_COLUMNS

__all__ = ["PredictionLog"]

logger = logging.getLogger(__name__)

CLOSE_S = 10.0
# what Python's objects of a row take, beside its numbers
OVERHEAD_BYTES = 400


class _Chunk(NamedTuple):
    """Rows that were predicted together: their time, ids, encoded values as bytes, predictions and scores."""

    at: float
    ids: Sequence[str | None]
    rows: bytes
    predictions: Sequence[float]
    scores: Sequence[float]


class PredictionLog:
    """Logs the predictions of one process.

    Args:
        settings: Where, how often and how much.
        contract: What the rows are.
        version: Of the model.
        registry: Where it counts what became of rows.

    Raises:
        ConfigError: The address means nothing, or a column to leave out is not there.
    """

    def __init__(
        self, settings: PredictionLogSettings, contract: Contract, version: str, registry: CollectorRegistry
    ) -> None:
        assert settings.url is not None
        self._settings, self._contract, self._version = settings, contract, version
        self._folder = settings.url.rstrip("/")
        _check(settings, contract)
        self._width = len(features_of(contract))
        self._most = int(settings.buffer_mb * 2**20 / (4 * self._width + OVERHEAD_BYTES))
        self._waiting: list[_Chunk] = []
        self._rows = self._in_work = 0
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

    def add(
        self, ids: Sequence[str | None], rows: bytes, predictions: Sequence[float], scores: Sequence[float]
    ) -> None:
        """Takes rows that were predicted together; all of them or, by the sampling rate, none.

        Args:
            ids: Of the predictions, n of them.
            rows: The encoded matrix, float32.
            predictions: Codes of the classes, or values, n of them.
            scores: Probabilities, row by row, or values.
        """
        sample = self._settings.sample
        if sample < 1 and random.random() >= sample:
            return
        with self._lock:
            if self._rows + self._in_work + len(ids) > self._most:
                dropped = True
            else:
                dropped = False
                self._waiting.append(_Chunk(time.time(), ids, rows, predictions, scores))
                self._rows += len(ids)
        if dropped:
            self._dropped.inc(len(ids))
        if self._rows >= self._settings.rows:
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
            self._wake.wait(self._settings.seconds)
            self._wake.clear()
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            chunks, self._waiting = self._waiting, []
            self._in_work, self._rows = self._rows, 0
        if not chunks:
            return
        try:
            table = self._table(chunks)
            write_bytes(self._path(chunks[0].at), lambda file: pq.write_table(table, file), self._settings.options)
        except ModelyardError as error:
            logger.error("%d rows of the prediction log are lost: %s", self._in_work, error)
            self._failed.inc(self._in_work)
        else:
            self._written.inc(self._in_work)
        self._in_work = 0

    def _path(self, at: float) -> str:
        moment = dt.datetime.fromtimestamp(at, dt.UTC)
        name = f"{os.uname().nodename}-{os.getpid()}-{next(self._numbers)}.parquet"
        return f"{self._folder}/date={moment:%Y-%m-%d}/hour={moment:%H}/{name}"

    def _table(self, chunks: Sequence[_Chunk]) -> pa.Table:
        counts = [len(chunk.ids) for chunk in chunks]
        rows = np.frombuffer(b"".join(chunk.rows for chunk in chunks), dtype=np.float32).reshape(-1, self._width)
        columns = decode(self._contract, rows)
        for name in self._settings.redact:
            columns.pop(name)
        predictions = [*itertools.chain.from_iterable(chunk.predictions for chunk in chunks)]
        scores = np.fromiter(itertools.chain.from_iterable(chunk.scores for chunk in chunks), np.float32)
        own = (
            self._times([chunk.at for chunk in chunks], counts),
            pa.array(itertools.chain.from_iterable(chunk.ids for chunk in chunks), pa.string()),
            pa.array([self._version]).dictionary_encode().take(pa.array(np.zeros(len(rows), np.int32))),
            self._labels(predictions),
            pa.FixedSizeListArray.from_arrays(pa.array(scores), len(scores) // len(rows)),
        )
        return pa.table(dict(zip(OWN_COLUMNS, own, strict=True)) | columns)

    def _labels(self, predictions: Sequence[float]) -> pa.Array:
        classes = self._contract.target.classes
        return pa.array([classes[int(code)] for code in predictions] if classes else predictions)

    @staticmethod
    def _times(moments: Sequence[float], counts: Sequence[int]) -> pa.Array:
        microseconds = np.repeat((np.array(moments) * 1e6).astype(np.int64), counts)
        return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


def _check(settings: PredictionLogSettings, contract: Contract) -> None:
    try:
        url_to_fs(settings.url, **settings.options)
    except (ImportError, ValueError) as error:
        raise ConfigError("serving.prediction_log.url", f"{settings.url} cannot be used: {error}") from None
    for name in settings.redact:
        if name not in contract.names:
            hint = nearest(name, contract.names)
            raise ConfigError("serving.prediction_log.redact", f"there is no column {name!r}", hint=hint)
