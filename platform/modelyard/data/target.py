"""The column that is predicted: its task, its classes, its codes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from modelyard.config.models import DataSettings
from modelyard.data.bins import quantile_edges
from modelyard.data.contract import Contract, Target
from modelyard.data.encoding import category_text, numbers, plain_values
from modelyard.data.scale import TargetScale
from modelyard.errors import ColumnNotFound, ConfigError, ContractViolation, DataError, UsageError, nearest
from modelyard.utils.types import Label, Task

__all__ = ["check_task", "encode_target", "infer_target", "known_rows", "split_target", "target_name"]

DEFAULT_NAME = "target"
MAX_CLASSES_OF_NUMBERS = 20
logger = logging.getLogger(__name__)


def check_task(task: str | None) -> Task | Literal["auto"]:
    """Returns a task as the settings have it; None is ``auto``.

    Raises:
        UsageError: The task is unknown.
    """
    known: tuple[Task, ...] = get_args(Task)
    if task is None or task == "auto":
        return "auto"
    for one in known:
        if task == one:
            return one
    raise UsageError(f"task={task!r} is unknown; pass one of {', '.join(known)}, or None to infer it")


def target_name(frame: pd.DataFrame, settings: DataSettings) -> str:
    """Returns the column to predict.

    Raises:
        ColumnNotFound: The settings name a column that the table does not have.
        ConfigError: They name none, and no column is called ``target``.
    """
    if settings.target is None:
        if DEFAULT_NAME not in frame:
            shown = nearest(DEFAULT_NAME, map(str, frame.columns))
            raise ConfigError("data.target", "is not set and no column is called 'target'", hint=shown)
        return DEFAULT_NAME
    if settings.target not in frame:
        raise ColumnNotFound(settings.target, map(str, frame.columns), settings.path or "the table")
    return settings.target


def known_rows(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Returns the rows whose target is known.

    Raises:
        DataError: There is none.
    """
    known = frame[target].notna()
    if not known.any():
        raise DataError(f"the target {target!r} is null in every row; check data.target and data.na_values")
    return frame if known.all() else frame[known]


def infer_target(values: pd.Series[Any], settings: DataSettings) -> Target:
    """Infers the task from the target's known values, and the classes in their order.

    Texts and booleans are classes, and so are numbers of two values, or whole ones of few values (at most 20 and
    at most the root of the row count); other numbers are a regression. Binary classes are ordered (negative,
    positive); the rarer one is positive unless the settings say otherwise, the later one where both are as frequent.

    Args:
        values: The target without nulls.
        settings: May fix the task and the positive class.

    Raises:
        ConfigError: The settings contradict the values.
        DataError: One value only, or values that are neither classes nor numbers.
    """
    name = str(values.name)
    counts = _label_counts(values)
    if len(counts) < 2:
        raise DataError(f"the target {name!r} has the one value {next(iter(counts))!r}; there is nothing to predict")
    task = _infer_task(name, counts) if settings.task == "auto" else settings.task
    _check_task(task, name, counts, settings)
    if task == "regression":
        try:
            found = _encode(values, Target(name=name, task=task))
        except ContractViolation as violation:
            if settings.task == "auto":
                raise DataError(f"the {violation.problems[0]}") from None
            raise ConfigError("data.task", f"is regression, but {violation.problems[0]}") from None
        lowest, highest = float(found.min()), float(found.max())
        edges = quantile_edges(found, TargetScale.of(found).dtype)
        return Target(name=name, task=task, minimum=lowest, maximum=highest, bins=edges)
    classes = _negative_positive(counts, settings.positive) if task == "binary" else _ordered(counts)
    return Target(name=name, task=task, classes=tuple(classes))


def split_target(frame: pd.DataFrame, contract: Contract) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Drops the rows whose target is null, and encodes the target of the others.

    Args:
        frame: Rows with the target.
        contract: Says what the target is.

    Returns:
        The rows kept, with a fresh index, and their codes as `encode_target` gives them; how much shorter they are
        than `frame` is what was dropped.

    Raises:
        ColumnNotFound: The target is not in the table.
        ContractViolation: A label is none of the contract's classes, or no number.
        DataError: Every target is null.
    """
    values = _column(frame, contract)
    kept = known_rows(frame, contract.target.name)
    return kept.reset_index(drop=True), _encode(values, contract.target)


def encode_target(frame: pd.DataFrame, contract: Contract) -> NDArray[Any]:
    """Encodes the target.

    Labels match by their canonical text, so that 1, 1.0 and "1" are one class. Where every label ends in a full
    stop and is a class without it, the stop is taken off: the C4.5 format ends each row with one.

    Args:
        frame: Rows with the target.
        contract: Says what the target is.

    Returns:
        Shape (n,): the class's place in ``contract.target.classes`` as int64, or the value as float64.

    Raises:
        ColumnNotFound: The target is not in the table.
        ContractViolation: A label that is none of the classes or no number, or a null; names the row.
    """
    values = _column(frame, contract)
    null = values.isna().to_numpy()
    if null.any():
        raise _violation(contract.target.name, int(null.argmax()) + 1, "is null; drop the row")
    return _encode(values, contract.target)


def _column(frame: pd.DataFrame, contract: Contract) -> pd.Series[Any]:
    if contract.target.name not in frame:
        raise ColumnNotFound(contract.target.name, map(str, frame.columns))
    return frame[contract.target.name]


def _encode(values: pd.Series[Any], target: Target) -> NDArray[Any]:
    """Encodes the values that are not null."""
    known = values.notna().to_numpy()
    if target.task == "regression":
        found = numbers(values, target.name)
        infinite = np.isinf(found)
        if infinite.any():
            raise _violation(target.name, int(infinite.argmax()) + 1, "is infinite; mend or drop the row")
        return found[known]
    labels = [category_text(value) for value in plain_values(values)]
    codes = _codes(target, {label for label in labels if label is not None})
    for row, label in enumerate(labels, 1):
        if label is not None and label not in codes:
            raise _violation(target.name, row, f"{label!r} is none of the classes; {nearest(label, codes)}")
    return np.array([codes[label] for label in labels if label is not None], dtype=np.int64)


def _codes(target: Target, labels: set[str]) -> dict[str, int]:
    codes = {str(category_text(label)): code for code, label in enumerate(target.classes)}
    stopped = {f"{label}.": code for label, code in codes.items()}
    if labels and labels <= stopped.keys() - codes.keys():
        logger.warning("every label of %r ends in a full stop, which is taken off as in C4.5 files", target.name)
        return stopped
    return codes


def _label_counts(values: pd.Series[Any]) -> dict[Label, int]:
    """Counts rows by label, in the table's own type; whole floats are whole numbers that stood beside nulls."""
    plain = values.astype(values.cat.categories.dtype) if isinstance(values.dtype, pd.CategoricalDtype) else values
    if not is_bool_dtype(plain.dtype) and is_numeric_dtype(plain.dtype):
        found = numbers(plain, str(plain.name))
        if np.isfinite(found).all() and (found == np.trunc(found)).all() and (np.abs(found) < 2**53).all():
            plain = pd.Series(found.astype(np.int64))
    result: dict[Label, int] = {}
    spelling: dict[str, Label] = {}
    for value, count in plain.value_counts().items():
        label = value.item() if isinstance(value, np.generic) else value
        if not isinstance(label, str | bool | int | float):
            raise DataError(f"the target {values.name!r} holds {label!r}; give texts, numbers or booleans")
        # among objects 1 and "1" may both stand, which are one class
        label = spelling.setdefault(str(category_text(label)), label)
        result[label] = result.get(label, 0) + int(count)
    return result


def _infer_task(name: str, counts: Mapping[Label, int]) -> Task:
    rows = sum(counts.values())
    if len(counts) == 2:
        return "binary"
    if all(isinstance(label, int | float) for label in counts):
        whole = all(isinstance(label, int) for label in counts)
        return "multiclass" if whole and len(counts) <= min(MAX_CLASSES_OF_NUMBERS, rows**0.5) else "regression"
    if len(counts) > max(rows / 2, 2):
        raise DataError(
            f"the target {name!r} has {len(counts)} different texts in {rows} rows, too many for classes; "
            "check data.target"
        )
    return "multiclass"


def _check_task(task: Task, name: str, counts: Mapping[Label, int], settings: DataSettings) -> None:
    if task == "binary" and len(counts) != 2:
        raise ConfigError("data.task", f"is binary, but the target {name!r} has {len(counts)} different values")
    if task == "multiclass" and len(counts) == 2:
        raise ConfigError("data.task", f"is multiclass, but the target {name!r} has two values", hint="say binary")
    if task != "binary" and settings.positive is not None:
        raise ConfigError("data.positive", f"is set, but the task of {name!r} is {task}", hint="leave it out")


def _ordered(labels: Iterable[Label]) -> list[Label]:
    labels = list(labels)
    if all(isinstance(label, int | float) for label in labels):
        return sorted(labels, key=float)
    return sorted(labels, key=str)


def _negative_positive(counts: Mapping[Label, int], positive: Label | None) -> list[Label]:
    first, second = _ordered(counts)
    if positive is None:
        return [second, first] if counts[first] < counts[second] else [first, second]
    wanted = category_text(positive)
    for negative, label in ((second, first), (first, second)):
        if category_text(label) == wanted:
            return [negative, label]
    raise ConfigError("data.positive", f"{positive!r} is no class", hint=nearest(str(wanted), map(str, counts)))


def _violation(name: str, row: int, problem: str) -> ContractViolation:
    return ContractViolation([f"target {name!r}, row {row}: {problem}"])
