from __future__ import annotations

import pandas as pd
import pytest

from modelyard.data import load_data, save_data
from modelyard.errors import MissingDependency, TableUnreadable, UsageError


def test_without_openpyxl_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("modelyard.data.excel.find_spec", lambda _: None)
    wanted = r"an Excel workbook needs openpyxl; install it with: pip install 'modelyard\[excel\]'"
    with pytest.raises(MissingDependency, match=wanted):
        save_data(pd.DataFrame({"a": [1]}), tmp_path / "t.xlsx")
    assert not list(tmp_path.iterdir())
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(MissingDependency, match=wanted):
        load_data(tmp_path / "t.xlsx")


def test_round_trip(people, tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "people.xlsx"
    save_data(people, path)
    loaded = load_data(path)
    assert list(loaded.columns) == list(people.columns)
    assert loaded["city"].isna().tolist() == people["city"].isna().tolist()
    assert loaded["age"].tolist() == people["age"].tolist()
    assert loaded["height"].dropna().tolist() == pytest.approx(people["height"].dropna().tolist(), rel=1e-12)
    assert loaded["member"].tolist() == people["member"].tolist()
    assert pd.to_datetime(loaded["joined"]).tolist() == people["joined"].tolist()
    assert [file.name for file in tmp_path.iterdir()] == ["people.xlsx"]


def test_texts_stay_texts_and_null_texts_are_null(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "t.xlsx"
    save_data(pd.DataFrame({"a": ["=1+1", "NA", "?"], 2024: [1, 2, None]}), path)
    assert load_data(path)["a"].tolist()[0] == "=1+1"
    assert load_data(path)["a"].isna().tolist() == [False, True, False]
    assert load_data(path, na_values=["?"])["a"].isna().tolist() == [False, True, True]
    assert list(load_data(path).columns) == ["a", "2024"]


def test_a_format_setting_reads_it_under_another_name(tmp_path):
    pytest.importorskip("openpyxl")
    save_data(pd.DataFrame({"a": [1]}), tmp_path / "t.xlsx")
    (tmp_path / "t.xlsx").rename(tmp_path / "export")
    assert load_data(tmp_path / "export", format="excel")["a"].tolist() == [1]


def test_what_is_no_sheet_is_refused_in_a_sentence(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(TableUnreadable, match=r"t\.xlsx: is not a readable Excel workbook"):
        load_data(path)
    for frame, problem in (
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "column 'a' occurs twice; rename one of them"),
        (pd.DataFrame({"a": []}), "has columns but no rows"),
        (pd.DataFrame(), "is empty"),
    ):
        frame.to_excel(path, index=False)
        with pytest.raises(TableUnreadable, match=problem):
            load_data(path)


@pytest.mark.parametrize(
    "values", [["\x00"], [pd.Timestamp("2024-01-01", tz="UTC")], ["x" * 32_768]], ids=["text", "offset", "long"]
)
def test_what_a_sheet_cannot_hold_is_refused_in_a_sentence(values, tmp_path):
    pytest.importorskip("openpyxl")
    with pytest.raises(UsageError, match="the table cannot be saved as excel: "):
        save_data(pd.DataFrame({"a": values}), tmp_path / "t.xlsx")
    assert not list(tmp_path.iterdir())
