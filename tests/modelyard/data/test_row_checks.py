from __future__ import annotations

import pytest

from modelyard.data.contract import Column, Contract, Target
from modelyard.data.row_checks import check_keys, surplus_hint
from modelyard.errors import ContractViolation

TARGET = Target(name="y", task="regression")


def contract_of(*columns: Column, **set_aside: str) -> Contract:
    return Contract(columns=columns, target=TARGET, set_aside=set_aside)


PEOPLE = contract_of(
    Column(name="age", kind="numeric"), Column(name="city", kind="categorical", vocabulary=("Bern",), nullable=True)
)


def test_only_nullable_columns_may_be_missing() -> None:
    check_keys(PEOPLE, [{"age": 1, "city": "Bern"}, {"age": 2}, {"city": None, "age": None}])
    with pytest.raises(ContractViolation) as refused:
        check_keys(PEOPLE, [{"age": 1}, {"city": "Bern"}])
    assert refused.value.problems == ("row 2: no value for 'age'",)


def test_a_refusal_names_row_and_key_and_the_nearest_column_once() -> None:
    with pytest.raises(ContractViolation) as refused:
        check_keys(PEOPLE, [{"age": 1}, {"agee": 99, 7: 1, "x" * 1000: 2}])
    assert refused.value.problems == (
        "row 2: unknown key 'agee' (did you mean 'age'?)",
        "row 2: unknown key 7",
        f"row 2: unknown key '{'x' * 59}...",
        "row 2: no value for 'age'",
    )


def test_many_columns_are_not_all_named() -> None:
    wide = contract_of(*(Column(name=f"c{place}", kind="numeric") for place in range(1000)))
    with pytest.raises(ContractViolation, match=r"'c19' and 980 more$"):
        check_keys(wide, [{}])
    with pytest.raises(ContractViolation, match=r"\(and 97 more\)$"):
        check_keys(wide, [{**dict.fromkeys(map(str, range(500))), **dict.fromkeys(wide.names)}])


def test_a_list_as_long_as_a_row_of_the_table_is_told_what_to_leave_out() -> None:
    contract = contract_of(Column(name="age", kind="numeric"), id="identifier", note="dropped by data.drop")
    assert surplus_hint(contract, 3) == "leave out 'id', 'note', which the model does not read"
    assert surplus_hint(contract, 4) == "leave out 'id', 'note', 'y', which the model does not read"
    assert surplus_hint(contract, 1) == surplus_hint(contract, 2) == surplus_hint(contract, 5) == ""
    assert surplus_hint(PEOPLE, 3) == "leave out 'y', which the model does not read"
