"""Small samples of real files, each with its peculiarity, from the command line's words to a contract and a matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from modelyard.config import load_config
from modelyard.data.encoding import Encoder
from modelyard.utils.types import Kind, Label
from modelyard_tuning.preparation import load_table, prepare

CENSUS = """39, State-gov, 77516, Bachelors, United-States, <=50K
50, ?, 83311, Bachelors, ?, <=50K
38, Private, 215646, HS-grad, United-States, >50K
28, Private, 338409, HS-grad, Cuba, <=50K
52, Self-emp-inc, 287927, HS-grad, United-States, >50K
"""
CENSUS_WORDS = [
    "data.columns=[age,workclass,fnlwgt,education,native-country,income]",
    'data.na_values=["?"]',
    "data.target=income",
]
CENSUS_KINDS: dict[str, Kind] = {
    "age": "numeric",
    "workclass": "categorical",
    "fnlwgt": "numeric",
    "education": "categorical",
    "native-country": "categorical",
}
CENSUS_NULLABLE = {"workclass", "native-country"}
CREDIT = """A11,6,A34,1169,1
A12,48,A32,5951,2
A14,12,A34,2096,1
A11,42,A32,7882,1
A11,24,A33,4870,2
"""
CALCIFICATIONS = """0.23001961,5.0725783,'-1'
0.15549112,-0.16939038,'-1'
-0.78441482,-0.44365372,'-1'
1.20427290,4.91132100,'1'
0.31210490,-0.25910320,'-1'
"""
PASSENGERS = """survived,pclass,sex,age,fare,adult_male,deck,alive,alone
0,3,male,22.0,7.25,True,,no,False
1,1,female,38.0,71.2833,False,C,yes,False
1,3,female,26.0,7.925,False,,yes,True
0,3,male,,8.05,True,,no,True
0,1,male,54.0,51.8625,True,E,no,True
"""
STONES = """"carat","cut","price","x"
0.23,"Ideal",326,3.95
0.21,"Premium",327,3.89
0.31,"Good",335,4.34
0.24,"Very Good",336,3.94
0.22,"Ideal",343,3.87
"""
REPEATS = 8


@dataclass(frozen=True)
class Case:
    """A file, the words that read it, and what it must come to."""

    text: str
    words: list[str]
    kinds: dict[str, Kind]
    classes: tuple[Label, ...]
    nullable: set[str] = field(default_factory=set)
    header: int = 0


CASES = {
    "headerless, ? for missing, leading blanks, an empty last line": Case(
        CENSUS + "\n", [*CENSUS_WORDS, "data.positive=>50K"], CENSUS_KINDS, ("<=50K", ">50K"), CENSUS_NULLABLE
    ),
    "every label ends in a full stop": Case(
        CENSUS.replace("50K\n", "50K.\n"), CENSUS_WORDS, CENSUS_KINDS, ("<=50K.", ">50K."), CENSUS_NULLABLE
    ),
    "codes, and numbers for classes": Case(
        CREDIT,
        ["data.columns=[a1,a2,a3,a4,credit]", "data.target=credit"],
        {"a1": "categorical", "a2": "numeric", "a3": "categorical", "a4": "numeric"},
        (1, 2),
    ),
    "labels in single quotes": Case(
        CALCIFICATIONS,
        ["data.columns=[x1,x2,class]", "data.quote='", "data.target=class"],
        {"x1": "numeric", "x2": "numeric"},
        (-1, 1),
    ),
    "empty fields, booleans in words, a leak to drop": Case(
        PASSENGERS,
        ["data.target=survived", "data.drop=[alive]"],
        {"pclass": "numeric", "sex": "categorical", "age": "numeric", "fare": "numeric", "adult_male": "boolean"}
        | {"deck": "categorical", "alone": "boolean"},
        (0, 1),
        {"age", "deck"},
        header=1,
    ),
    "quoted names, a number to predict": Case(
        STONES,
        ["data.target=price", "data.task=regression"],
        {"carat": "numeric", "cut": "categorical", "x": "numeric"},
        (),
        header=1,
    ),
}


def repeated(text: str, header: int) -> str:
    """As many rows as a search needs: the same ones again."""
    lines = text.splitlines(keepends=True)
    return "".join(lines[:header] + lines[header:] * REPEATS)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_file_is_read_by_settings_alone(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(repeated(case.text, case.header))
    settings = load_config(overrides=[f"data.path={path}", *case.words])
    table = load_table(settings)
    contract = table.contract
    assert {column.name: column.kind for column in contract.columns} == case.kinds
    assert {column.name for column in contract.columns if column.nullable} == case.nullable
    assert contract.target.classes == case.classes
    assert len(table.frame) == REPEATS * 5
    row = Encoder(contract).encode_rows([contract.example])
    assert np.isfinite(row).all()


def test_labels_of_a_held_out_file_may_end_in_a_full_stop(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(repeated(CENSUS, 0) + "\n")
    (tmp_path / "test.csv").write_text(CENSUS.replace("50K\n", "50K.\n") + "\n")
    paths = [f"data.path={tmp_path / 'train.csv'}", f"data.test_path={tmp_path / 'test.csv'}"]
    settings = load_config(overrides=[*paths, *CENSUS_WORDS])
    prepared = prepare(load_table(settings), settings)
    assert prepared.contract.target.classes == ("<=50K", ">50K")
    assert prepared.y.tolist() == [0, 0, 1, 0, 1]
