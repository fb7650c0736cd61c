from __future__ import annotations

import datetime as dt
import re
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prometheus_client import CollectorRegistry

from modelyard.config.models import PredictionLogSettings
from modelyard.data.encoding import Encoder
from modelyard.errors import ConfigError, TableUnreadable
from modelyard.models.artifact import load_model
from modelyard.models.model import Model
from modelyard.monitoring import prediction_log
from modelyard.monitoring.observed import OWN_COLUMNS
from modelyard.monitoring.prediction_log import PredictionLog
from served_model import make_contract, make_table, save_served
from waiting import DEADLINE_S, until

VERSION = "3f2a91b04c77"
FRAME = make_table()
CONTRACT = make_contract(FRAME)
MATRIX = Encoder(CONTRACT).encode(FRAME)
MODEL = Model(CONTRACT, lambda matrix: matrix, version=VERSION)
SCORES = np.array([[0.75, 0.25], [0.25, 0.75]], dtype=np.float32)


class Log:
    """A log in a folder, and what it counted."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.registry = folder, CollectorRegistry()
        given = PredictionLogSettings(url=str(folder), **{"seconds": 3600, **settings})
        self.log = PredictionLog(given, MODEL, self.registry)

    def add(self, row: int, identity: bytes = b"") -> None:
        self.log.add_each(identity, MATRIX[row : row + 1], SCORES[row % 2 : row % 2 + 1])

    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.parquet"))

    def counted(self, outcome: str) -> float:
        return self.registry.get_sample_value("modelyard_prediction_log_rows_total", {"outcome": outcome}) or 0.0


@pytest.fixture
def logs() -> Iterator[list[Log]]:
    made: list[Log] = []
    yield made
    for each in made:
        each.log.close()


def make(logs: list[Log], folder: Path, **settings: Any) -> Log:
    logs.append(Log(folder, **settings))
    return logs[-1]


def test_what_was_predicted_is_in_a_file_that_says_when_and_by_which_process(logs: list[Log], tmp_path: Path) -> None:
    log = make(logs, tmp_path)
    for row in range(10):
        log.add(row, b"an id %06d" % row)
    log.log.add(b"", MATRIX[10:15], np.full((5, 2), 0.5))
    log.log.close()
    (path,) = log.files()
    assert re.fullmatch(r"date=\d{4}-\d\d-\d\d/hour=\d\d/.+-\d+-\d+\.parquet", str(path.relative_to(tmp_path)))
    table = pq.ParquetFile(path).read().to_pandas()
    assert tuple(table.columns) == (*OWN_COLUMNS, *CONTRACT.names)
    assert np.array_equal(Encoder(CONTRACT).encode(table), MATRIX[:15], equal_nan=True)
    assert table["(id)"].tolist()[:10] == [b64encode(b"an id %06d" % row).decode() for row in range(10)]
    assert table["(id)"].isna().sum() == 5
    assert table["(version)"].unique().tolist() == [VERSION]
    assert table["(prediction)"].tolist()[:3] == ["<=50K", ">50K", "<=50K"]
    assert [each.tolist() for each in table["(scores)"][9:11]] == [[0.25, 0.75], [0.5, 0.5]]
    assert (dt.datetime.now(dt.UTC) - table["(time)"]).max() < dt.timedelta(minutes=5)
    assert log.counted("written") == 15


@pytest.mark.parametrize("task", ["regression", "instant"])
def test_values_are_logged_in_the_type_of_the_model(task: str, tmp_path: Path) -> None:
    frame = make_table(task)
    model = load_model(save_served(tmp_path / "model", frame))
    matrix = model.encode(frame[:20])
    scores = model.scorer(matrix)
    log = PredictionLog(PredictionLogSettings(url=str(tmp_path / "log")), model, CollectorRegistry())
    log.add(b"", matrix, scores)
    log.close()
    (path,) = (tmp_path / "log").rglob("*.parquet")
    table = pq.ParquetFile(path).read()
    kind = pa.float64() if task == "instant" else pa.float32()
    assert table.schema.field("(prediction)").type == table.schema.field("(scores)").type.value_type == kind
    assert table["(prediction)"].to_pylist() == scores.tolist()
    assert table["(scores)"].to_pylist() == scores.reshape(-1, 1).tolist()


def test_a_file_is_written_as_soon_as_it_has_its_rows(logs: list[Log], tmp_path: Path) -> None:
    log = make(logs, tmp_path, rows=5)
    for row in range(5):
        log.add(row)
    until(lambda: log.counted("written") == 5)
    assert len(log.files()) == 1


def test_a_file_is_written_after_its_seconds(logs: list[Log], tmp_path: Path) -> None:
    log = make(logs, tmp_path, seconds=0.05)
    log.add(0)
    until(lambda: log.counted("written") == 1)
    assert len(log.files()) == 1


def test_while_storage_is_slow_rows_are_dropped_and_counted_and_nobody_waits(
    logs: list[Log], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, go_on = threading.Event(), threading.Event()
    write_bytes = prediction_log.write_bytes

    def slow(*arguments: Any) -> None:
        writing.set()
        assert go_on.wait(DEADLINE_S)
        write_bytes(*arguments)

    monkeypatch.setattr(prediction_log, "write_bytes", slow)
    log = make(logs, tmp_path, rows=10, buffer_mb=0.01)
    most = log.log._most
    assert 20 < most < 60
    for row in range(10):
        log.add(row)
    assert writing.wait(DEADLINE_S)
    for row in range(100):
        log.add(row)
    # what is being written counts too
    assert log.counted("dropped") == 110 - most
    go_on.set()
    until(lambda: log.counted("written") == most)


def test_rows_that_are_written_make_room_for_others(logs: list[Log], tmp_path: Path) -> None:
    log = make(logs, tmp_path, rows=10, buffer_mb=0.01)
    # several times what the buffer holds
    for batch in range(1, 21):
        for row in range(10):
            log.add(row)
        until(lambda batch=batch: log.counted("written") == 10 * batch)
    assert log.counted("dropped") == 0


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TableUnreadable("s3://bucket/log", "cannot be written: Access Denied"), "s3://bucket/log: cannot be written"),
        (RuntimeError("Unable to locate credentials\nin any place"), "Unable to locate credentials"),
    ],
)
def test_a_storage_that_fails_is_said_and_counted_and_asked_again(
    logs: list[Log],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    said: str,
) -> None:
    def fail(*_: Any) -> None:
        raise error

    log = make(logs, tmp_path, rows=1)
    with monkeypatch.context() as broken:
        broken.setattr(prediction_log, "write_bytes", fail)
        log.add(0)
        until(lambda: log.counted("failed") == 1)
    (message,) = caplog.messages
    assert message.startswith(f"1 rows of the prediction log are lost: {said}")
    log.add(1)
    until(lambda: log.counted("written") == 1)


def test_redacted_columns_are_in_no_file(logs: list[Log], tmp_path: Path) -> None:
    log = make(logs, tmp_path, redact=["age", "model_config"])
    log.add(0)
    log.log.close()
    names = pq.ParquetFile(log.files()[0]).schema_arrow.names
    assert {"age", "model_config"}.isdisjoint(names)
    assert "json" in names


def test_a_sample_is_logged(logs: list[Log], tmp_path: Path) -> None:
    log = make(logs, tmp_path, sample=0.25)
    count = len(MATRIX)
    for _ in range(2000 // count):
        log.log.add_each(b"".join(b"an id %06d" % row for row in range(count)), MATRIX, SCORES[[0] * count])
    log.log.close()
    assert 350 < log.counted("written") < 650
    assert log.counted("dropped") == 0
    table = pq.ParquetFile(log.files()[0]).read().to_pandas()
    # a row keeps its id
    rows = [int(b64decode(one)[-6:]) for one in table["(id)"]]
    assert np.array_equal(Encoder(CONTRACT).encode(table), MATRIX[rows], equal_nan=True)


def test_two_processes_of_one_name_and_number_write_two_files(logs: list[Log], tmp_path: Path) -> None:
    for row in range(2):
        log = make(logs, tmp_path)
        log.add(row)
        log.log.close()
    assert len(log.files()) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"redact": ["agee"]}, "there is no column 'agee'.*did you mean 'age'"),
        ({"url": "log"}, "'log' depends on where it runs; name the whole path"),
        ({"url": "nowhere://x"}, "nowhere://x cannot be used"),
    ],
)
def test_what_cannot_be_logged_is_refused_at_the_start(tmp_path: Path, settings: Any, message: str) -> None:
    given = PredictionLogSettings(**{"url": str(tmp_path), **settings})
    with pytest.raises(ConfigError, match=message):
        PredictionLog(given, MODEL, CollectorRegistry())
