"""Rows held against a contract before they are encoded: the keys of a mapping, the length of a list of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from modelyard.data.contract import Contract
from modelyard.errors import ContractViolation, nearest
from modelyard.utils.sentences import shown_value

__all__ = ["check_keys", "listed_names", "surplus_hint"]

MAX_NAMES = 20
MAX_PROBLEMS = 100
MAX_HINTED = 200  # characters of a key; comparing takes time by the length, and no column is meant by a longer one


def check_keys(contract: Contract, rows: Sequence[Any]) -> None:
    """Checks that every row is a mapping with the contract's columns as keys; only nullable ones may be missing.

    Raises:
        ContractViolation: Names the first row that is not, and its keys.
    """
    known = frozenset(contract.names)
    required = frozenset(column.name for column in contract.columns if not column.nullable)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise ContractViolation([f"row {number} is {shown_value(row)} where a mapping by column is expected"])
        if not required <= row.keys() <= known:
            raise ContractViolation([f"row {number}: {problem}" for problem in _wrong_keys(contract, required, row)])


def surplus_hint(contract: Contract, found: int) -> str:
    """Returns what to leave out of a list of values that is as long as a row of the training table, or nothing.

    Args:
        contract: Its columns, and those that it excludes.
        found: How many values the list has.
    """
    surplus = found - len(contract.names)
    excluded = list(contract.set_aside)
    for names in (excluded, [*excluded, contract.target.name]):
        if names and len(names) == surplus:
            return f"leave out {listed_names(names)}, which the model does not read"
    return ""


def listed_names(names: Iterable[str]) -> str:
    """Returns names for a message, quoted, at most 20 of them."""
    quoted = [repr(str(name)) for name in names]
    more = f" and {len(quoted) - MAX_NAMES} more" if len(quoted) > MAX_NAMES else ""
    return ", ".join(quoted[:MAX_NAMES]) + more


def _wrong_keys(contract: Contract, required: frozenset[str], row: Mapping[Any, Any]) -> list[str]:
    names = contract.names
    unknown = list(islice((key for key in row if key not in names), MAX_PROBLEMS))
    problems = [f"unknown key {shown_value(key)}" for key in unknown]
    if unknown and len(text := str(unknown[0])) <= MAX_HINTED:
        problems[0] += f" ({nearest(text, names)})"
    missing = [name for name in names if name in required and name not in row]
    if missing:
        problems.append(f"no value for {listed_names(missing)}")
    return problems
