from __future__ import annotations

import numpy as np
import pytest

from modelyard.data import load_data
from modelyard.errors import MalformedRow


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,x y\n2,z\n",
        "a;b\n1;x, y\n2;z, w\n",
        "a\tb\n1\tx y\n2\tz\n",
        "a|b\n1|x\n2|z\n",
        "a b\n1 x\n2  z\n",
        "\ufeffa,b\n1,x\n2,z\n",
        "a,b\r\n1,x\r\n2,z\r\n",
        "\na,b\n\n1,x\n   \n2,z",
    ],
)
def test_separator_is_found(write, text):
    frame = load_data(write(text))
    assert list(frame) == ["a", "b"]
    assert frame["a"].tolist() == [1, 2]


def test_lines_longer_than_the_head(write):
    names = [f"a_rather_long_column_name_{place}" for place in range(4000)]
    frame = load_data(write(",".join(names) + "\n" + ",".join("7" * 4000) + "\n"))
    assert list(frame) == names


@pytest.mark.parametrize(("first", "warned"), [("0.2,5,'-1'", True), ("a,2023,2024,b", False)])
def test_a_row_in_the_header_lines_place_is_warned_of(write, caplog, first, warned):
    path = write(f"{first}\n{first}\n")
    load_data(path)
    assert ("set data.header=false" in caplog.text) is warned
    caplog.clear()
    load_data(path, header=True)
    assert not caplog.text


def test_one_column(write):
    assert load_data(write("a\n1.5\n2\n"))["a"].tolist() == [1.5, 2]


def test_expected_columns_decide_an_open_question(write):
    path = write("1,5;2,5\n2,5;3,5\n")
    assert load_data(path, columns=["a", "b", "c"])["a"].tolist() == [1, 2]
    assert load_data(path, columns=["a", "b"])["b"].tolist() == ["2,5", "3,5"]


def test_headerless_with_blanks_and_question_marks(write):
    frame = load_data(write("39, State-gov, <=50K\n 50, ?, >50K\n"), columns=["age", "work", "income"], na_values=["?"])
    assert frame["age"].tolist() == [39, 50]
    assert frame["work"].tolist()[0] == "State-gov"
    assert frame["work"].isna().tolist() == [False, True]
    assert frame["income"].tolist() == ["<=50K", ">50K"]


def test_trailing_blanks_hide_neither_nulls_nor_numbers(write):
    frame = load_data(write("a ,b ,c\n1 ,? ,x \n? ,7 ,y\n"), na_values=[" ? "])
    assert list(frame) == ["a", "b", "c"]
    np.testing.assert_array_equal(frame["a"], [1, np.nan])
    np.testing.assert_array_equal(frame["b"], [np.nan, 7])
    assert frame["c"].tolist() == ["x", "y"]


def test_quoted_labels_and_separators(write):
    assert load_data(write("1.5,'-1'\n2.5,'1'\n"), columns=["x", "y"], quote="'")["y"].tolist() == [-1, 1]
    assert load_data(write('a,b\n1, "x, y"\n2,"two\nlines"\n'))["b"].tolist() == ["x, y", "two\nlines"]


def test_header_choices(write):
    path = write("1,2\n3,4\n")
    assert list(load_data(path, header=False)) == ["column_1", "column_2"]
    assert load_data(path, header=True, columns=["a", "b"])["a"].tolist() == [3]
    assert list(load_data(write(",x\n0,5\n1,6\n"))) == ["Unnamed: 0", "x"]


def test_other_encodings(write):
    assert load_data(write("stadt\nKöln\n".encode("cp1252")), encoding="cp1252")["stadt"][0] == "Köln"
    assert load_data(write("stadt,x\nKöln,1\n".encode("utf-16")), encoding="utf-16")["stadt"][0] == "Köln"


def test_null_texts_are_the_documented_ones(write):
    frame = load_data(write("a,b\n,1\nNA,2\nnull,3\nNone,4\nNaN,5\nn/a,6\n-,7\n"))
    assert frame["a"].isna().tolist() == [True] * 5 + [False] * 2


def test_ragged_row_counts_lines_of_quoted_fields(write):
    with pytest.raises(MalformedRow) as caught:
        load_data(write('a,b\n"two\nlines",1\n3\n4,5\n'))
    assert caught.value.line == 4


def test_null_in_the_last_column_is_no_ragged_row(write):
    assert load_data(write("a,b\n1,\n2,3\n"))["b"].isna().tolist() == [True, False]
