from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from modelyard.config.models import DataSettings
from modelyard.data import Contract, infer_contract
from modelyard.errors import ColumnNotFound, ConfigError, ContractViolation, DataError


def infer(frame: pd.DataFrame, **settings) -> Contract:
    return infer_contract(frame, DataSettings(**{"target": "income", **settings}))


def column(contract: Contract, name: str):
    return next(column for column in contract.columns if column.name == name)


def test_kinds_and_what_is_set_aside(people):
    contract = infer(people, drop=["grade"])
    assert {column.name: column.kind for column in contract.columns} == {
        "age": "numeric",
        "height": "numeric",
        "city": "categorical",
        "member": "boolean",
        "active": "boolean",
        "joined": "datetime",
        "seen": "datetime",
    }
    assert contract.set_aside == {
        "person_id": "identifier: every row has a number of its own, and its name says so",
        "ticket": "identifier: every row has a text of its own",
        "country": "constant: always 'CH'",
        "nothing": "empty: every value is null",
        "grade": "dropped by data.drop",
    }


def test_what_a_column_says(people):
    contract = infer(people)
    age, city, member = column(contract, "age"), column(contract, "city"), column(contract, "member")
    assert (age.integer, age.nullable, age.minimum, age.maximum) == (True, False, people.age.min(), people.age.max())
    assert column(contract, "height").nullable
    assert not column(contract, "height").integer
    assert city.vocabulary == ("Bern", "Ulm", "Graz")
    assert city.shares == pytest.approx([people.city.isna().mean(), 0, *people.city.value_counts() / 300])
    assert member.shares == pytest.approx([0, 1 - people.member.mean(), people.member.mean()])
    joined = column(contract, "joined")
    assert joined.minimum == people.joined.min().timestamp()
    for described in contract.columns:
        assert sum(described.shares) == pytest.approx(1)


def test_bins_are_quantiles_and_keep_heavy_values_apart():
    frame = pd.DataFrame({"flat": np.arange(1000) * 0.1, "zeros": np.r_[np.zeros(950), np.arange(50) + 5], "y": 0.5})
    frame["y"] = np.random.default_rng(0).normal(size=1000)
    contract = infer(frame, target="y")
    flat, zeros = contract.columns
    assert len(flat.bins) == 9
    assert flat.shares == pytest.approx([0] + [0.1] * 10, abs=0.002)
    assert zeros.bins == (5.0,)
    assert zeros.shares == pytest.approx([0, 0.95, 0.05])
    assert all(np.float32(edge) == edge for edge in flat.bins)


def test_vocabulary_is_capped_and_ties_are_alphabetic():
    frame = pd.DataFrame({"c": list("ddbbac") * 4, "income": [0, 1, 0, 1, 1, 0] * 4})
    described = column(infer(frame, max_categories=3), "c")
    assert described.vocabulary == ("b", "d", "a")
    assert described.shares == pytest.approx([0, 1 / 6, 1 / 3, 1 / 3, 1 / 6])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["20240101", "20240102"] * 10, "categorical"),
        (["2024-W01-1", "2024-W02-1"] * 10, "categorical"),
        (["2024-01-01", "2024-13-01"] * 10, "categorical"),
        (["2024-01-01 10:00", None] * 10, "datetime"),
        ([True, None] * 10, "boolean"),
        ([" TRUE", "false"] * 10, "boolean"),
        ([1, "x"] * 10, "categorical"),
        ([1, 2] * 10, "numeric"),
        (pd.Categorical([1, 2] * 10), "categorical"),
    ],
)
def test_kind(values, kind):
    frame = pd.DataFrame({"x": values, "income": [0, 1, 1, 0] * 5})
    assert infer(frame).columns[0].kind == kind


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, None], [b"x", b"y"], [1 + 2j, 3j], pd.to_timedelta([1, 2])])
def test_types_that_no_model_can_use_are_set_aside(values):
    frame = pd.DataFrame({"x": [*values] * 10, "z": range(20), "a": [3, 1] * 10, "income": [0, 1, 1, 0] * 5})
    assert infer(frame).set_aside["x"] == "of a type that no model can use"


def test_identifiers_are_taken_carefully():
    draw = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "Unnamed: 0": np.arange(100),
            "row": np.arange(1, 101),
            "year": np.arange(1900, 2000),
            "rank": np.r_[1, np.arange(100, 1, -1)],
            "paid": draw.permutation(100) + 5,
            "customerId": draw.permutation(100),
            "userID": draw.permutation(100) * 1.5,
            "group_id": np.arange(100) // 2,
            "income": draw.integers(0, 2, 100),
        }
    )
    contract = infer(frame)
    assert set(contract.set_aside) == {"Unnamed: 0", "row", "customerId"}
    assert column(infer(frame, kinds={"row": "numeric"}), "row").maximum == 100


def test_kinds_override(people):
    contract = infer(people, kinds={"age": "categorical", "ticket": "categorical"})
    assert column(contract, "age").kind == "categorical"
    assert len(column(contract, "ticket").vocabulary) == 300
    kept = infer(people, kinds={"country": "categorical", "nothing": "numeric"})
    assert column(kept, "country").vocabulary == ("CH",)
    assert column(kept, "nothing").minimum is None
    with pytest.raises(ContractViolation, match=r"column 'city', row 1: .* is not a number"):
        infer(people, kinds={"city": "numeric"})


def test_json_round_trip_and_digest(people):
    contract = infer(people)
    again = Contract.from_json(contract.to_json())
    assert again == contract
    assert again.digest == contract.digest == infer(people.copy()).digest
    assert infer(people, drop=["city"]).digest != contract.digest
    assert json.loads(contract.to_json())["example"] == contract.example
    assert set(contract.example) == set(contract.names)
    assert None not in contract.example.values()


@pytest.mark.parametrize(
    ("settings", "error", "expected"),
    [
        ({"target": "incom"}, ColumnNotFound, "no column 'incom'; did you mean 'income'"),
        ({"target": None}, ConfigError, r"data\.target: is not set"),
        ({"drop": ["citi"]}, ColumnNotFound, "did you mean 'city'"),
        ({"drop": ["income"]}, ConfigError, r"data\.drop: names the target"),
        ({"kinds": {"agee": "numeric"}}, ColumnNotFound, "did you mean 'age'"),
        ({"kinds": {"income": "numeric"}}, ConfigError, r"data\.kinds: names the target"),
        ({"kinds": {"pair": "categorical"}}, ConfigError, r"data\.kinds\.pair: is given for a column of lists"),
        ({"target": "nothing"}, DataError, "null in every row"),
        ({"target": "country"}, DataError, "has the one value 'CH'"),
        ({"target": "ticket"}, DataError, "300 different texts in 300 rows"),
        ({"target": "joined"}, DataError, "give texts, numbers or booleans"),
    ],
)
def test_contradictions(people, settings, error, expected):
    people["pair"] = [np.array([row, 1]) for row in range(len(people))]
    with pytest.raises(error, match=expected):
        infer(people, **settings)


def test_names_that_are_no_unique_texts():
    frame = pd.DataFrame([[1, 2], [3, 4]])
    with pytest.raises(DataError, match=r"the column name 0 is no text; set frame\.columns"):
        infer(frame)
    frame.columns = ["income", "income"]
    with pytest.raises(DataError, match="column 'income' stands in the table twice"):
        infer(frame)


def test_no_column_left(people):
    with pytest.raises(DataError, match="no column is left for a model: 'country' is constant"):
        infer(people[["country", "income"]])


class TestEdited:
    @pytest.fixture
    def edited(self, people, tmp_path):
        def save(change) -> str:
            document = json.loads(infer(people).to_json())
            change({entry["name"]: entry for entry in document["columns"]}, document)
            path = tmp_path / "contract.json"
            path.write_text(json.dumps(document))
            return str(path)

        return save

    def test_is_used_and_counted_again_where_needed(self, people, edited):
        path = edited(lambda columns, _: columns["city"].update(vocabulary=["Bern"], on_unknown="refuse"))
        city = column(infer(people, target=None, contract=path), "city")
        assert city.vocabulary == ("Bern",)
        assert city.on_unknown == "refuse"
        bern, null = (people.city == "Bern").mean(), people.city.isna().mean()
        assert city.shares == pytest.approx([null, 1 - bern - null, bern])

    @pytest.mark.parametrize(
        ("change", "settings", "expected"),
        [
            (lambda c, _: c["city"].update(kind="text"), {}, r"contract\.json: .*columns\.\d+\.kind"),
            (lambda c, _: c["city"].update(name="town"), {}, "no column 'town'"),
            (lambda c, _: c["city"].update(vocabulary=["a", "a"]), {}, "a category twice"),
            (lambda c, _: c["age"].update(bins=[3, 2]), {}, "do not ascend"),
            (lambda *_: None, {"target": "grade"}, r"data\.target: is 'grade'"),
            (lambda *_: None, {"drop": ["city"]}, r"data\.drop: names 'city'"),
        ],
    )
    def test_mistakes(self, people, edited, change, settings, expected):
        with pytest.raises((DataError, ConfigError), match=expected):
            infer(people, contract=edited(change), **settings)

    def test_missing_file(self, people):
        with pytest.raises(DataError, match="no such file"):
            infer(people, contract="none.json")
