"""Tensors of the Open Inference Protocol to a table of a contract's columns, and predictions to tensors.

The protocol has no null. Here it is NaN in a tensor of floats, null in JSON, and in BYTES an empty text or one of the
words that clients make of the nulls of Python and pandas, except where a column has a category of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from modelyard.api.fields import column_field
from modelyard.api.models import class_text
from modelyard.api.predict import Predictions
from modelyard.api.problems import MOST_ERRORS, Hints, RequestProblem, describe
from modelyard.api.tensors import (
    DTYPES,
    NUMBERS,
    Datatype,
    Tensor,
    Values,
    cut,
    merge,
    read_values,
    write_tensor,
    wrong,
)
from modelyard.data.contract import Column, Contract, Target
from modelyard.data.encoding import numbers
from modelyard.data.rows import takes_numbers
from modelyard.errors import ContractViolation

__all__ = ["Columns", "TensorReader", "TensorWriter", "natural_datatype"]

NULLS = frozenset({"", "None", "nan", "<NA>", "NaT"})


@dataclass(frozen=True)
class Columns:
    """A table that came as tensors.

    Attributes:
        table: Values by column, n of them.
        rows: n.
        places: By column, the tensor that it came in, and its place there where that has several columns.
    """

    table: dict[str, Any]
    rows: int
    places: dict[str, tuple[int, tuple[int, ...]]]


class TensorReader:
    """Reads tables of one contract: a tensor for each column, or one for all where all are numeric.

    Args:
        contract: What the columns are.
        max_rows: Most rows in one request.
    """

    def __init__(self, contract: Contract, max_rows: int) -> None:
        self._columns = {column.name: column for column in contract.columns}
        self._datatypes = {column.name: _datatypes(column) for column in contract.columns}
        self._max_rows = max_rows
        self._all_numeric = all(column.kind == "numeric" for column in contract.columns)
        self._fields = {column.name: column_field(column) for column in contract.columns}
        self._checks = {name: TypeAdapter(field.annotation) for name, field in self._fields.items()}

    def read(self, tensors: Sequence[Tensor], binary: memoryview) -> Columns:
        """Reads the inputs of a request.

        Args:
            tensors: The inputs.
            binary: What follows the JSON.

        Raises:
            RequestProblem: Inputs are malformed (400), have too many rows (413), or do not fit the contract (422).
        """
        parts = cut(tensors, binary)
        rows = max((tensor.shape[0] for tensor in tensors if tensor.shape), default=0)
        if rows > self._max_rows:
            raise RequestProblem(413, f"{rows} rows are too many for one request; send at most {self._max_rows}")
        columns = Columns({}, rows, {})
        if len(tensors) == 1 and self._is_matrix(tensors[0]):
            self._read_matrix(columns, tensors[0], parts[0])
        else:
            self._read_columns(columns, tensors, parts)
        if any(_is_off(self._columns[name], values) for name, values in columns.table.items()):
            raise self.explain(columns, "a number is too large")
        return columns

    def explain(self, columns: Columns, reason: str) -> RequestProblem:
        """Returns the refusal of a table that does not fit the contract.

        Args:
            columns: The table.
            reason: Why, where no value for itself shows it.
        """
        refused = (
            wrong(422, ("inputs", place, "data", row, *inner), name, self._fields[name].expected, describe(value))
            for name, (place, inner) in columns.places.items()
            for row, value in self._refused(name, columns.table[name])
        )
        problems = list(islice(refused, MOST_ERRORS))
        return merge(problems) if problems else RequestProblem(422, reason)

    def _refused(self, name: str, values: Values) -> Iterator[tuple[int, Any]]:
        check = self._checks[name].validate_python
        for row, value in enumerate(values.tolist() if isinstance(values, np.ndarray) else values):
            try:
                check(None if value != value else value)
            except ValidationError:
                yield row, value

    def _is_matrix(self, tensor: Tensor) -> bool:
        return self._all_numeric and tensor.name not in self._columns and len(tensor.shape) == 2

    def _read_matrix(self, columns: Columns, tensor: Tensor, raw: memoryview | None) -> None:
        width = len(self._columns)
        _check_datatype(tensor, ("inputs", 0), NUMBERS)
        if tensor.shape[1] != width or not columns.rows:
            expected = f"[rows, {width}], with a column for each of the contract's and at least one row"
            raise wrong(422, ("inputs", 0, "shape"), tensor.name, expected, str(tensor.shape))
        matrix = _floats(read_values(tensor, ("inputs", 0), raw), tensor.name).reshape(-1, width)
        for place, name in enumerate(self._columns):
            columns.table[name], columns.places[name] = matrix[:, place], (0, (place,))

    def _read_columns(self, columns: Columns, tensors: Sequence[Tensor], parts: Sequence[memoryview | None]) -> None:
        problems: list[RequestProblem] = []
        hints = Hints()
        for place, (tensor, part) in enumerate(zip(tensors, parts, strict=True)):
            try:
                self._read_column(columns, tensor, place, part, hints)
            except RequestProblem as problem:
                problems.append(problem)
        for name in self._columns.keys() - columns.places.keys():
            # as in a row of JSON: leaving a column out is a slip unless nulls are usual there
            if self._columns[name].nullable:
                columns.table[name] = [None] * columns.rows
            else:
                expected = self._fields[name].expected
                problems.append(wrong(422, ("inputs",), name, expected, "nothing", "the tensor is missing"))
        if problems:
            raise merge(problems)

    def _read_column(self, columns: Columns, tensor: Tensor, place: int, raw: memoryview | None, hints: Hints) -> None:
        name, path, rows = tensor.name, ("inputs", place), columns.rows
        column = self._columns.get(name)
        if column is None:
            hint = hints.suggest(name, self._columns)
            raise wrong(422, (*path, "name"), name, "a column of the contract", describe(name), hint)
        if name in columns.places:
            raise wrong(400, (*path, "name"), name, "each tensor once", "a second one")
        columns.places[name] = (place, ())
        _check_datatype(tensor, path, self._datatypes[name])
        if tensor.shape not in ([rows], [rows, 1]) or not rows:
            expected = f"[{rows}] or [{rows}, 1], as many rows as others have" if rows else "at least one row"
            raise wrong(422, (*path, "shape"), name, expected, str(tensor.shape))
        values = read_values(tensor, path, raw)
        if column.kind == "numeric":
            values = _floats(values, name)
        elif tensor.datatype == "BYTES":
            nulls = NULLS.difference(column.vocabulary)
            values = [None if text in nulls else text for text in values]
        columns.table[name] = values


class TensorWriter:
    """Writes predictions of one target as tensors.

    Args:
        target: What is predicted.
        dtype: Type of predicted values, float32 or float64.

    Attributes:
        outputs: Datatype and number of columns by name of the output; 0 columns for one value a row.
    """

    def __init__(self, target: Target, dtype: np.dtype[Any]) -> None:
        kinds = {type(label) for label in target.classes}
        label: Datatype = "BYTES"
        if kinds == {bool}:
            label = "BOOL"
        elif kinds == {int} and all(-(2**63) <= int(label) < 2**63 for label in target.classes):
            label = "INT64"
        self.outputs: Mapping[str, tuple[Datatype, int]] = (
            {"label": (label, 0), "probabilities": ("FP32", len(target.classes))}
            if target.classes
            else {"value": ("FP64" if dtype == np.float64 else "FP32", 0)}
        )

    def write(self, predictions: Predictions, name: str, *, binary: bool) -> tuple[Tensor, bytes]:
        """Returns one output, and its raw values where they shall follow the JSON."""
        datatype = self.outputs[name][0]
        values: Values
        if name != "label":
            values = predictions.scores.astype(DTYPES[datatype])
        elif datatype == "BYTES":
            values = [class_text(label) for label in predictions.decided]
        else:
            values = np.array(predictions.decided, dtype=np.bool_ if datatype == "BOOL" else "<i8")
        return write_tensor(name, datatype, values, binary=binary)


def natural_datatype(column: Column) -> Datatype:
    """Returns the datatype that a column's values have if nothing else is wished."""
    if column.kind == "numeric":
        return "INT64" if column.integer and not column.nullable else "FP64"
    return "BOOL" if column.kind == "boolean" else "BYTES"


def _datatypes(column: Column) -> frozenset[str]:
    if column.kind == "numeric":
        return NUMBERS
    if column.kind == "boolean":
        return NUMBERS | {"BOOL"}
    return NUMBERS | {"BYTES"} if column.kind == "categorical" and takes_numbers(column) else frozenset({"BYTES"})


def _check_datatype(tensor: Tensor, path: tuple[str | int, ...], datatypes: frozenset[str]) -> None:
    if tensor.datatype not in datatypes:
        others = " or ".join(sorted(datatypes - NUMBERS))
        numeric = "a datatype of numbers, such as FP64" if datatypes >= NUMBERS else ""
        expected = " or ".join(filter(None, (others, numeric)))
        raise wrong(422, (*path, "datatype"), tensor.name, expected, tensor.datatype)


def _floats(values: Values, name: str) -> NDArray[Any]:
    """Numbers as float64; left as they are where one is too large for it."""
    try:
        # a signalling NaN is a null like any other
        with np.errstate(invalid="ignore"):
            return numbers(values, name)
    except ContractViolation:
        return np.array(values, dtype=object)


def _is_off(column: Column, values: Values) -> bool:
    """Whether a number is none, or not whole where the contract has whole ones."""
    if column.kind != "numeric" or isinstance(values, list):
        return False
    if values.dtype == object or np.isinf(values).any():
        return True
    return column.integer and bool((values != np.trunc(values))[~np.isnan(values)].any())
