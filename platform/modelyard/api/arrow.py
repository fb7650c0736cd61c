"""Predictions for Arrow IPC streams: columns in, columns out, no Python object for a value in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modelyard.api.arrow_stream import open_stream, read_batches, write_stream
from modelyard.api.endpoints import Answer
from modelyard.api.fields import column_field
from modelyard.api.formats import ARROW_STREAM
from modelyard.api.predict import Predictor
from modelyard.api.problems import MOST_ERRORS, FieldProblem, Hints, RequestProblem, describe, pointer, shorten
from modelyard.data.arrow import Distinct, encodable, takes
from modelyard.data.contract import Column
from modelyard.data.encoding import category_text
from modelyard.models.batches import answer_columns, chunks
from modelyard.models.model import Scores

__all__ = ["ArrowFormat"]

Mask = NDArray[np.bool_]
VIEW_HINT = "send it as string, since a view may repeat the same bytes any number of times"
LABELS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}


class ArrowFormat:
    """Answers Arrow streams with Arrow streams.

    The answer has the columns that `batch_predict` adds to a table: ``prediction`` and, for classes in the contract's
    order, one ``probability_<class>`` each; its schema's metadata say which ``model`` and ``version`` answered.

    Args:
        predictor: Does the work.
        max_bytes: Longest stream, where its buffers are compressed.
    """

    def __init__(self, predictor: Predictor, max_bytes: int) -> None:
        self._predictor, self._max_bytes = predictor, max_bytes
        contract = predictor.model.contract
        self._columns = {column.name: column for column in contract.columns}
        self._expected = {column.name: column_field(column).expected for column in contract.columns}
        self._labels = _texts([str(label) for label in contract.target.classes])
        self._label_type = LABELS.get(type(next(iter(contract.target.classes), None)), pa.string())
        self._metadata = {"model": predictor.model.name, "version": predictor.model.version}

    def __call__(self, body: bytes) -> Answer:
        """Answers one stream.

        Raises:
            RequestProblem: It is damaged (400), too long (413), or does not fit the contract (422).
        """
        reader = open_stream(body, self._max_bytes)
        _refuse(self._wrong_columns(reader.schema))
        batches = read_batches(reader, self._predictor.max_rows)
        rows = sum(batch.num_rows for batch in batches)
        if not rows:
            _refuse([_problem(("rows",), "at least one row", [])])
        table = self._convert(pa.Table.from_batches(batches), rows)
        answers = []
        for chunk in chunks(rows):
            part = {name: values[chunk] for name, values in table.items()}
            answers.append(self._answer(self._predictor.predict_table(part).scores))
        return Answer(write_stream(answers), ARROW_STREAM.encode(), rows=rows)

    def _wrong_columns(self, schema: pa.Schema) -> Iterator[FieldProblem]:
        hints, names = Hints(), Counter(schema.names)
        for name, count in names.items():
            path = ("columns", shorten(name))
            if name not in self._columns:
                yield _problem(path, "a column of the contract", name, hints.suggest(name, self._columns))
            elif count > 1:
                yield _problem(path, "each column once", name)
            elif not takes(self._columns[name], kind := schema.field(name).type):
                hint = VIEW_HINT if pa.types.is_string_view(kind) else ""
                yield _problem(("columns", name), self._expected[name], f"a column of type {kind}", hint)
        for name, column in self._columns.items():
            # as in a row of JSON: leaving a column out is a slip unless nulls are usual there
            if name not in names and not column.nullable:
                yield _problem(("columns", name), self._expected[name], None, "the column is missing")

    def _convert(self, table: pa.Table, rows: int) -> Mapping[str, Any]:
        converted: dict[str, Any] = {}
        given = frozenset(table.column_names)
        found: list[FieldProblem] = []
        for name, column in self._columns.items():
            array = table[name] if name in given else pa.nulls(rows)
            kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
            values, wrong = encodable(array, column)
            wrong = wrong | _refused(column, values)
            for row in np.flatnonzero(wrong)[:MOST_ERRORS].tolist():
                # Python has no such dates as some of Arrow's are
                received = str(values[row]) if pa.types.is_temporal(kind) else array[row].as_py()
                found.append(_problem(("rows", row, name), self._expected[name], received))
            if len(found) >= MOST_ERRORS:
                break
            converted[name] = values
        _refuse(found)
        return converted

    def _answer(self, scores: Scores) -> pa.RecordBatch:
        model = self._predictor.model
        decided: Any = scores
        if model.contract.target.classes:
            codes = _array(model.codes(scores))
            decided = pa.DictionaryArray.from_arrays(codes, self._labels).dictionary_decode().cast(self._label_type)
        columns = answer_columns(model.contract.target.classes, scores, decided)
        arrays = [values if isinstance(values, pa.Array) else _array(values) for values in columns.values()]
        return pa.RecordBatch.from_arrays(arrays, names=list(columns)).replace_schema_metadata(self._metadata)


def _refused(column: Column, values: Any) -> Mask:
    """Which rows a client is told to mend: not whole where the contract has whole ones, or what it refuses."""
    null, low, high = _null(values), column.minimum, column.maximum
    wrong: Mask = null & (not column.nullable and column.on_null == "refuse")
    if isinstance(values, Distinct):
        if column.on_unknown == "refuse":
            known = frozenset(column.vocabulary)
            unknown = np.array([category_text(value) not in known for value in values.distinct], dtype=np.bool_)
            wrong |= values.spread(unknown, False)
        return wrong
    if column.integer:
        wrong |= ~null & (values != np.trunc(values))
    if column.on_range == "refuse" and low is not None and high is not None:
        if column.kind == "datetime":
            values = np.where(null, np.nan, values.astype("datetime64[us]").astype(np.int64) / 1e6)
        wrong |= (values < low) | (values > high)
    return wrong


def _null(values: Distinct | NDArray[Any]) -> Mask:
    if isinstance(values, Distinct):
        return np.equal(values.places, -1)
    found: Mask = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    return found


def _problem(path: tuple[str | int, ...], expected: str, received: Any, hint: str = "") -> FieldProblem:
    where, shown = pointer(*path), describe(received)
    detail = f"{where}: expected {expected}, not {shown}" + (f"; {hint}" if hint else "")
    return FieldProblem(path=where, expected=expected, received=shown, detail=detail)


def _refuse(problems: Iterable[FieldProblem]) -> None:
    found = list(islice(problems, MOST_ERRORS))
    if found:
        others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise RequestProblem(422, found[0].detail + others, found)


def _array(values: NDArray[Any]) -> pa.Array:
    """An Arrow array of numbers; `pyarrow.array` would load pandas where it is installed."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), buffers)


def _texts(texts: list[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])
