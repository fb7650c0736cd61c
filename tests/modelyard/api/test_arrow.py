from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fastapi import FastAPI

from arrow_streams import SHARED, batches_of
from arrow_streams import stream_of as stream
from modelyard.api import formats
from modelyard.api.app import create_app
from modelyard.api.formats import ARROW_STREAM
from modelyard.api.source import load_served
from modelyard.config.models import Settings
from modelyard.models.artifact import load_model
from modelyard.models.inference import batch_predict
from served_model import make_contract, make_table, save_served

Ask = Callable[..., httpx.Response]
VALUES = {"regression": pa.float32(), "instant": pa.float64()}


def send(ask: Ask, body: pa.Table | bytes, path: str = "/api/v1/predict", media_type: str = ARROW_STREAM) -> Any:
    content = body if isinstance(body, bytes) else stream(body)
    return ask("POST", path, content=content, headers={"Content-Type": media_type})


def problems(answer: httpx.Response, status: int = 422) -> list[tuple[str, str]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["detail"]
    return [(error["path"], error["detail"]) for error in document["errors"]]


def read(answer: httpx.Response) -> pa.Table:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ARROW_STREAM
    return pa.ipc.open_stream(answer.content).read_all()


@pytest.fixture(scope="module")
def inputs(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame.drop(columns=["target"]), preserve_index=False)


@pytest.mark.parametrize("task", ["binary", "multiclass", "flag", "regression", "instant"])
def test_answers_are_the_columns_of_batch_predict(
    task: str, tmp_path: Path, ask_app: Callable[[FastAPI], Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.models.batches.chunks.__defaults__", (100,))
    table = make_table(task).drop(columns=["target"])
    folder = save_served(tmp_path / "model", make_table(task))
    model, asked = load_model(folder), ask_app(create_app(load_served(folder, Settings()), Settings()))
    answer = read(send(asked, pa.Table.from_pandas(table, preserve_index=False)))
    expected = batch_predict(model, table)
    names = [f"probability_{label}" for label in model.contract.target.classes]
    pd.testing.assert_frame_equal(answer.to_pandas(), expected[["prediction", *names]])
    if task in VALUES:
        assert answer.schema.field("prediction").type == VALUES[task]
    assert answer.schema.metadata == {b"model": b"people", b"version": model.version.encode()}


@pytest.mark.parametrize(
    "options",
    [{"compression": "lz4"}, {"compression": "zstd"}, {"batch_rows": 7}, {"batch_rows": 50, "compression": "zstd"}],
    ids=str,
)
def test_streams_of_every_make_are_read(options: dict[str, Any], ask: Ask, inputs: pa.Table) -> None:
    expected = read(send(ask, inputs))
    assert read(send(ask, stream(inputs, **options), "/predict", f"{ARROW_STREAM}; charset=binary")) == expected
    split = pa.concat_tables([inputs[:100], inputs[100:]])
    texts = split.set_column(2, "model_config", split["model_config"].dictionary_encode())
    assert read(send(ask, stream(texts, **options))) == expected


@pytest.mark.parametrize("index", [pa.int8(), pa.uint8(), pa.int16(), pa.uint64()])
def test_dictionaries_may_differ_by_batch(index: pa.DataType, ask: Ask, inputs: pa.Table) -> None:
    texts = pa.array(["Private", None, *(f"new {number}" for number in range(98))])
    batches, plain = [], []
    for start in (0, 100):
        column = pa.DictionaryArray.from_arrays(pa.array(range(100), index), texts if start == 0 else texts[::-1])
        rows = inputs[start : start + 100]
        batches += rows.set_column(2, "model_config", column).to_batches()
        plain.append(rows.set_column(2, "model_config", column.dictionary_decode()))
    assert read(send(ask, batches_of(batches))) == read(send(ask, pa.concat_tables(plain)))


def test_a_dictionary_of_numbers_may_differ_by_batch(ask: Ask, inputs: pa.Table) -> None:
    halves = [inputs[:100], inputs[100:]]
    encoded = [half.set_column(0, "age", half["age"].combine_chunks().dictionary_encode()) for half in halves]
    body = batches_of([batch for half in encoded for batch in half.combine_chunks().to_batches()])
    assert read(send(ask, body)) == read(send(ask, inputs))


def test_a_view_is_refused_with_what_to_send(ask: Ask, inputs: pa.Table) -> None:
    # a thousand views of the same megabyte are a gigabyte
    views = pa.Array.from_buffers(
        pa.string_view(),
        200,
        [None, pa.py_buffer(struct.pack("<i4sii", 2**20, b"xxxx", 0, 0) * 200), pa.py_buffer(b"x" * 2**20)],
    )
    found = problems(send(ask, inputs[:200].set_column(2, "model_config", views)))
    assert [path for path, _ in found] == ["/columns/model_config"]
    assert found[0][1].endswith("; send it as string, since a view may repeat the same bytes any number of times")


def test_of_a_long_dictionary_only_used_values_are_read(ask: Ask, inputs: pa.Table) -> None:
    texts = pa.array(["Private", *(str(number) for number in range(200_000))])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 10), texts)
    body = stream(inputs[:10].set_column(2, "model_config", column))
    expected = read(send(ask, inputs[:10].set_column(2, "model_config", pa.array(["Private"] * 10))))
    tracemalloc.start()
    assert read(send(ask, body)) == expected
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(body)


@pytest.mark.parametrize("shared", SHARED)
def test_shared_metadata_are_refused(shared: str, ask: Ask) -> None:
    body = SHARED[shared]()
    answer = send(ask, body)
    assert problems(answer, 413) == []


def test_values_are_described_up_to_a_hundred(ask: Ask, inputs: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[object] = []
    monkeypatch.setattr("modelyard.api.arrow.describe", lambda value: described.append(value) or "")
    wrong = inputs.set_column(0, "age", pa.array([0.5] * 240)).set_column(4, "_copy", pa.array([7] * 240))
    assert len(problems(send(ask, wrong))) == len(described) == 100


def test_columns_come_in_any_order_and_may_lack_where_nulls_are_usual(ask: Ask, inputs: pa.Table) -> None:
    backwards = inputs.select(inputs.column_names[::-1])
    assert read(send(ask, backwards)) == read(send(ask, inputs))
    empty = inputs.set_column(1, "education-num", pa.nulls(len(inputs)))
    assert read(send(ask, inputs.drop_columns(["education-num"]))) == read(send(ask, empty))


def test_wrong_columns_are_named_together(ask: Ask, inputs: pa.Table) -> None:
    texts = inputs.set_column(0, "age", inputs["age"].cast(pa.string())).rename_columns({"_copy": "_cpoy"})
    found = problems(send(ask, texts.append_column("json", inputs["json"])))
    assert found == [
        ("/columns/age", '/columns/age: expected a whole number or null, not "a column of type string"'),
        ("/columns/_cpoy", "/columns/_cpoy: expected a column of the contract, not \"_cpoy\"; did you mean '_copy'?"),
        ("/columns/json", '/columns/json: expected each column once, not "json"'),
        ("/columns/_copy", "/columns/_copy: expected true or false or null, not null; the column is missing"),
    ]
    many = inputs
    for number in range(300):
        many = many.append_column(f"{number}{'x' * 999}", pa.nulls(len(inputs)))
    assert len(problems(send(ask, many))) == 100


def test_wrong_values_are_named_with_row_and_column(ask: Ask, inputs: pa.Table) -> None:
    table = inputs[:4].set_column(0, "age", pa.array([1.0, 2.5, None, float("nan")]))
    table = table.set_column(3, "seen at", pa.array(["2024-01-01", None, "soon", "2024-01-01T00:00:00Z"]))
    table = table.set_column(4, "_copy", pa.array([0, 1, 1, 7]))
    assert problems(send(ask, table)) == [
        ("/rows/1/age", "/rows/1/age: expected a whole number or null, not 2.5"),
        ("/rows/2/seen at", '/rows/2/seen at: expected an ISO 8601 date or time or null, not "soon"'),
        ("/rows/3/_copy", "/rows/3/_copy: expected true or false or null, not 7"),
    ]
    for far in (pa.array([10**13] * 4, pa.timestamp("s", "Nowhere/At all")), pa.array([10**8] * 4, pa.date32())):
        for column in (far, far.dictionary_encode()):
            found = problems(send(ask, inputs[:4].set_column(3, "seen at", column)))
            assert [path for path, _ in found] == [f"/rows/{row}/seen at" for row in range(4)]


def test_what_the_contract_refuses_is_refused(
    tmp_path: Path, frame: pd.DataFrame, inputs: pa.Table, ask_app: Callable[[FastAPI], Ask]
) -> None:
    refuse = {"on_null": "refuse", "on_unknown": "refuse", "on_range": "refuse"}
    contract = make_contract(frame, **dict.fromkeys(frame.columns, refuse))
    folder = save_served(tmp_path / "model", frame, contract)
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    assert len(read(send(asked, inputs))) == len(inputs)
    table = inputs[:3].set_column(0, "age", pa.array([5000, 40, None]))
    table = table.set_column(2, "model_config", pa.array(["never seen", None, "Private"]))
    table = table.set_column(3, "seen at", pa.array([0, None, 1_704_500_000], pa.timestamp("s")))
    assert [path for path, _ in problems(send(asked, table))] == [
        "/rows/0/age",
        "/rows/2/age",
        "/rows/0/model_config",
        "/rows/0/seen at",
        "/rows/1/seen at",
    ]


def test_a_column_of_nulls_has_no_unknown_category(
    tmp_path: Path, frame: pd.DataFrame, inputs: pa.Table, ask_app: Callable[[FastAPI], Ask]
) -> None:
    contract = make_contract(frame, model_config={"on_unknown": "refuse"})
    folder = save_served(tmp_path / "model", frame, contract)
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    for nulls in (pa.nulls(3), pa.nulls(3, pa.string()), pa.nulls(3, pa.dictionary(pa.int8(), pa.string()))):
        assert len(read(send(asked, inputs[:3].set_column(2, "model_config", nulls)))) == 3


def test_what_the_contract_accepts_is_counted(
    folder: Path, inputs: pa.Table, ask_app: Callable[[FastAPI], Ask]
) -> None:
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    table = inputs[:3].set_column(0, "age", pa.array([5000, 40, None]))
    read(send(asked, table.set_column(2, "model_config", pa.array(["new", "newer", None]))))
    figures = asked("GET", "/metrics").text
    assert "modelyard_rows_total 3.0" in figures
    for column, kind, count in (("age", "range", 1), ("age", "null", 1), ("model_config", "unknown", 2)):
        assert f'modelyard_contract_violations_total{{column="{column}",kind="{kind}"}} {count}.0' in figures


def test_rows_and_bytes_are_limited(ask: Ask, inputs: pa.Table) -> None:
    assert len(read(send(ask, pa.concat_tables([inputs, inputs[:10]])))) == 250
    assert problems(send(ask, pa.concat_tables([inputs, inputs[:11]])), 413) == []
    assert problems(send(ask, inputs[:0])) == [("/rows", "/rows: expected at least one row, not []")]
    assert problems(send(ask, b"x" * (5 * 2**20)), 413) == []
    # two hundred bytes of zstd for each megabyte
    text = pa.array(["x" * 2**24])
    bomb = stream(inputs[:1].set_column(2, "model_config", text), compression="zstd")
    assert len(bomb) < 5000
    assert problems(send(ask, bomb), 413) == []
    bomb = stream(inputs[:1].set_column(2, "model_config", text.dictionary_encode()), compression="lz4")
    assert problems(send(ask, bomb), 413) == []


@pytest.mark.parametrize("options", [{}, {"compression": "zstd"}, {"batch_rows": 9}], ids=str)
def test_a_damaged_stream_is_never_our_fault(options: dict[str, Any], ask: Ask, inputs: pa.Table) -> None:
    body = stream(inputs[:30].set_column(2, "model_config", inputs["model_config"][:30].dictionary_encode()), **options)
    read(send(ask, body))
    cut = {send(ask, body[:length]).status_code for length in range(0, len(body) - 8, 61)}
    assert cut <= {200, 400, 422}  # without its last batches a stream is whole
    assert problems(send(ask, body[:100]), 400) == []
    draw = np.random.default_rng(0)
    statuses = set()
    for _ in range(400):
        damaged = bytearray(body)
        for place in draw.integers(0, len(body), draw.integers(1, 6)):
            damaged[place] = draw.integers(0, 256)
        statuses.add(send(ask, bytes(damaged)).status_code)
    assert {200, 400} <= statuses <= {200, 400, 413, 422}


@pytest.mark.parametrize("body", [b"", b"ARROW1\0\0", b'{"rows": []}', b"\xff" * 64, b"\xff\xff\xff\xff\0\0\0\0"])
def test_what_is_no_stream_is_refused(body: bytes, ask: Ask) -> None:
    answer = send(ask, body)
    assert problems(answer, 400) == []
    assert "Arrow IPC stream" in answer.json()["detail"]


def test_without_pyarrow_the_answer_names_the_extra(
    folder: Path, inputs: pa.Table, ask_app: Callable[[FastAPI], Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    asked = ask_app(create_app(load_served(folder, Settings()), Settings()))
    answer = send(asked, inputs)
    assert problems(answer, 415) == []
    assert "pip install 'modelyard[arrow]'" in answer.json()["detail"]
    assert ARROW_STREAM in send(asked, inputs, media_type="text/csv").json()["detail"]


def test_pyarrow_is_loaded_by_the_first_stream_and_pandas_never(folder: Path, inputs: pa.Table, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(stream(inputs))
    code = f"""
import asyncio, sys
from pathlib import Path
import httpx
from modelyard.api.app import create_app
from modelyard.api.source import load_served
from modelyard.config.models import Settings
app = create_app(load_served({str(folder)!r}, Settings()), Settings())

async def ask(content, media_type):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        answer = await client.post("/api/v1/predict", content=content, headers={{"Content-Type": media_type}})
        return answer.status_code

assert asyncio.run(ask(b"[]", "application/json")) == 422
assert "pyarrow" not in sys.modules
assert asyncio.run(ask(Path("body").read_bytes(), {ARROW_STREAM!r})) == 200
assert "pyarrow" in sys.modules
assert not {{"pandas", "sklearn"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
