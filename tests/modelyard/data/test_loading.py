from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from modelyard.config.models import DataSettings
from modelyard.data import load_data, save_data
from modelyard.errors import ConfigError, ModelyardError, TableUnreadable, UsageError


def test_plain_path_is_enough(write):
    frame = load_data(write("a,b\n1,x\n2,\n"))
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].isna().tolist() == [False, True]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "arrow", "csv.gz"])
def test_round_trip(people, tmp_path, ending):
    path = tmp_path / "new" / f"people.{ending}"
    save_data(people, path)
    loaded = load_data(path)
    assert list(loaded.columns) == list(people.columns)
    assert loaded["city"].isna().tolist() == people["city"].isna().tolist()
    assert loaded["height"].dropna().tolist() == pytest.approx(people["height"].dropna().tolist(), rel=1e-12)
    assert loaded["member"].tolist() == people["member"].tolist()
    assert pd.to_datetime(loaded["joined"]).dt.tz_localize(None).tolist() == people["joined"].tolist()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_path_without_an_ending_is_written_as_csv(tmp_path):
    save_data(pd.DataFrame({"a": [1]}), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a\n1\n"


def test_a_folder_of_parquet_files_is_one_table(tmp_path):
    save_data(pd.DataFrame({"a": [1, 2], "b": [None, None], "c": ["x", "y"]}), tmp_path / "1.parquet")
    save_data(pd.DataFrame({"b": ["u"], "c": pd.Categorical(["z"]), "a": [0.5]}), tmp_path / "day=2" / "2.parquet")
    loaded = load_data(tmp_path)
    assert loaded["a"].tolist() == [1, 2, 0.5]
    assert loaded["c"].tolist() == ["x", "y", "z"]
    assert loaded["b"].tolist()[2] == "u"


def test_a_folder_of_parquet_files_with_different_columns_is_refused(tmp_path):
    first = pd.DataFrame({"age": [1], "city": ["x"], "note": [None]})
    changes = ({}, {"age": ["old"]}, {"seen": [1.0]}, {"note": [1]}, {"note": ["x"]}, {"age": [True]})
    for place, change in enumerate(changes):
        save_data(first.assign(**change), tmp_path / f"{place}.parquet")
    save_data(first.rename(columns={"age": "agee"}), tmp_path / "9.parquet")
    with pytest.raises(TableUnreadable) as refused:
        load_data(tmp_path)
    name = str(tmp_path)
    assert str(refused.value) == (
        f"{name}: 5 of its 7 files do not have the columns of 0.parquet: "
        "1.parquet has texts in 'age', not numbers; 2.parquet has 'seen'; "
        "4.parquet has texts in 'note', not numbers; and 2 more; "
        "load them one by one, or move them into a folder of their own"
    )


def test_fsspec_address():
    save_data(pd.DataFrame({"a": [1, 2]}), "memory://loading/table.parquet")
    assert load_data("memory://loading/table.parquet")["a"].tolist() == [1, 2]
    with pytest.raises(TableUnreadable, match="no such file"):
        load_data("memory://loading/none.csv")


@pytest.mark.parametrize(
    ("name", "rows", "labels"),
    [
        ("breast_cancer", 569, {"benign", "malignant"}),
        ("iris", 150, {"setosa", "versicolor", "virginica"}),
        ("wine", 178, {"class_0", "class_1", "class_2"}),
        ("digits", 1797, set(range(10))),
    ],
)
def test_bundled_classes_have_their_names(name, rows, labels):
    frame = load_data(f"sklearn://{name}")
    assert len(frame) == rows
    assert set(frame["target"]) == labels


def test_bundled_regression():
    assert load_data("sklearn://diabetes")["target"].dtype == "float64"


def test_options_win_over_settings(write):
    path = write("a;b\n1;2\n")
    assert list(load_data(path, DataSettings(separator=","), separator=";")) == ["a", "b"]
    with pytest.raises(ConfigError, match=r"separater.*did you mean 'separator'"):
        load_data(path, separater=";")
    with pytest.raises(ConfigError, match=r"data\.quote"):
        load_data(path, quote="''")


def test_na_values_hold_for_json_lines(write):
    frame = load_data(write('{"a": 1, "b": " ? "}\n\n{"a": 2, "b": "x", "c": true}\n', "t.jsonl"), na_values=["?"])
    assert frame["b"].isna().tolist() == [True, False]
    assert frame["c"].isna().tolist() == [True, False]


def test_parquet_keeps_index_decimals_and_dates(tmp_path):
    frame = pd.DataFrame(
        {"d": [Decimal("1.5"), None], "day": [dt.date(2024, 1, 2), None]}, index=pd.Index([7, 8], name="key")
    )
    frame.to_parquet(tmp_path / "t.parquet")
    loaded = load_data(tmp_path / "t.parquet")
    assert loaded["key"].tolist() == [7, 8]
    assert loaded["d"].dtype == "float64"
    assert loaded["day"].dtype.kind == "M"


def test_format_setting_wins_over_ending(write):
    assert load_data(write('{"a": 1}\n', "rows.txt"), format="jsonl")["a"].tolist() == [1]


def test_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "t.parquet"
    save_data(pd.DataFrame({"a": [1]}), path)
    with pytest.raises(UsageError, match=r"the table cannot be saved as parquet: .*object"):
        save_data(pd.DataFrame({"a": [object()]}), path)
    assert load_data(path)["a"].tolist() == [1]
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_save_refuses_what_cannot_be_written(tmp_path):
    frame = pd.DataFrame({"a": [1]})
    with pytest.raises(UsageError, match="bundled"):
        save_data(frame, "sklearn://iris")
    for name in ("t.pkl", "t.xls", "t.tsv", "t.pickle.gz", "t.2024-01-01"):
        with pytest.raises(UsageError, match=rf"{name}: a table cannot be saved as .* CSV .* or Excel \(\.xlsx\)$"):
            save_data(frame, tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableUnreadable, match="cannot be written"):
        save_data(frame, tmp_path / "folder.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.csv"]


MALFORMED = {
    "missing file": (None, "absent.csv", {}, r"absent\.csv: there is no such file"),
    "empty": (b"", "t.csv", {}, "is empty"),
    "blank lines": (b"\n \n", "t.csv", {}, "is empty"),
    "header only": (b"a,b\n", "t.csv", {}, "no rows"),
    "encoding": (
        "a,b\n1,ä\n".encode("latin-1"),
        "t.csv",
        {},
        r"line 2 \(byte 0xe4\) is not utf-8 text; set data\.encoding",
    ),
    "late encoding": (
        b"a,b\n" + b"1,2\n" * 30_000 + b"1,\xe4\n",
        "t.csv",
        {},
        r"line 30002 \(byte 0xe4\) is not utf-8",
    ),
    "endless field": (b'a,b\n1,"' + b"x" * 140_000 + b"\n", "t.csv", {}, "cannot be parsed: field larger than"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), "t.csv", {}, r"set data\.encoding=utf-16"),
    "unknown encoding": (
        b"a\n1\n",
        "t.csv",
        {"encoding": "utf8000"},
        r"data\.encoding: 'utf8000' is no known encoding",
    ),
    "binary": (b"\x00\x01\x02", "t.csv", {}, "is no text file"),
    "long row": (b"a,b\n1,2\n3,4,5\n", "t.csv", {}, "line 3 has 3 fields where 2 are expected"),
    "long first row": (b"a,b\n1,2,3\n3,4,5\n", "t.csv", {}, "line 2 has 3 fields where 2 are expected"),
    "short row": (b"a,b,c\n1,2,3\n\n4,5\n", "t.csv", {}, "line 4 has 2 fields where 3 are expected"),
    "open quote": (b'a,b\n1,2\n3,"x\n5,6\n', "t.csv", {}, "the row of line 3 has a quote that is never closed"),
    "duplicate column": (b"a,b,a\n1,2,3\n", "t.csv", {}, "column 'a' stands there twice, as fields 1 and 3"),
    "too few columns": (b"1,2,3\n", "t.csv", {"columns": ["a", "b"]}, r"has 3 fields where data\.columns names 2"),
    "separator": (b"a,b\n1,2\n", "t.csv", {"separator": "::"}, r"data\.separator: '::' is not one character"),
    "sklearn name": (None, "sklearn://irish", {}, "did you mean 'iris'"),
    "protocol": (None, "nope://x.csv", {}, "nope://x.csv: cannot be read: Protocol not known"),
    "parquet": (b"PAR1 no", "t.parquet", {}, "is no readable Parquet file"),
    "arrow": (b"ARROW1 no", "t.arrow", {}, "is no readable Arrow file"),
    "arrow stream": (b"no", "t.arrow", {}, "is no readable Arrow file"),
    "json line": (b'{"a": 1}\n{"a": }\n', "t.jsonl", {}, "line 2 is not valid JSON: Expecting value"),
    "json array": (b"[1, 2]\n", "t.jsonl", {}, "line 1 is no JSON object; write one JSON object a line"),
    "deep json": (b'{"a": ' + b"[" * 200_000, "t.jsonl", {}, "line 1 is nested too deeply"),
    "json encoding": (b'{"a": "\xe4"}\n', "t.jsonl", {}, "line 1 .*is not utf-8 text"),
    "gzip": (b"a,b\n1,2\n", "t.csv.gz", {}, "cannot be read: Not a gzipped file"),
    "broken gzip": (
        bytes.fromhex("1f8b0800000000000003") + b"\xff" * 9,
        "t.csv.gz",
        {},
        "cannot be read: Error -3 while decompressing",
    ),
    "zip": (b"a,b\n1,2\n", "t.csv.zip", {}, "cannot be read: File is not a zip file"),
    "xz": (b"\xfd7zXZ\x00garbage", "t.csv.xz", {}, "cannot be read: Corrupt input data"),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n" * 99)[:-12], "t.csv.gz", {}, "cannot be read"),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
def test_malformed_table_is_one_sentence(case, write, tmp_path):
    content, name, options, expected = case
    address = name if "://" in name else str(tmp_path / name)
    if content is not None:
        write(content, name)
    with pytest.raises(ModelyardError, match=expected) as caught:
        load_data(address, **options)
    assert "\n" not in str(caught.value)


def test_folder_and_near_names(tmp_path: Path):
    (tmp_path / "people.csv").write_text("a\n1\n")
    with pytest.raises(TableUnreadable, match="is a folder"):
        load_data(tmp_path)
    with pytest.raises(TableUnreadable, match=r"did you mean 'people\.csv'"):
        load_data(tmp_path / "peple.csv")
    (tmp_path / ".hidden").touch()
    with pytest.raises(TableUnreadable, match=r"there is 'people\.csv'$"):
        load_data(tmp_path / "x")
