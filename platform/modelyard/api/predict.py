"""The one way from rows to an answer, for every endpoint and for both frameworks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from modelyard.api.answers import NO_IDS, AnswerEncoder, Id
from modelyard.api.decoding import Decoder
from modelyard.api.prediction_ids import PredictionIds
from modelyard.api.problems import MOST_ERRORS, FieldProblem, RequestProblem, pointer
from modelyard.api.typed import request_type
from modelyard.data.contract import Contract
from modelyard.data.rows import RowEncoder, TypedEncoder
from modelyard.data.violations import Violations
from modelyard.errors import ContractViolation
from modelyard.models.model import Model, Scores
from modelyard.models.scorer import OnnxScorer, RowScorer
from modelyard.monitoring.metrics import PredictionMetrics

if TYPE_CHECKING:
    from modelyard.monitoring.prediction_log import PredictionLog  # it brings pyarrow

__all__ = ["Deferred", "Predictions", "Predictor", "Request"]

# what a decoder or an encoder of typed values raises where `Decoder` must have a look
REFUSALS = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError, KeyError, ContractViolation)


# what checking a value by itself may take, rounded up
SECONDS_A_VALUE = 2e-6
MEASURED_ROWS = 64
SLOW_S = 1e-3
WORDS = {"null": "null", "unknown": "of an unknown category", "range": "out of range"}


class Deferred(Exception):
    """A body whose values must be checked one by one, which takes too long on the event loop."""


class Request(msgspec.Struct, gc=False):
    """Rows that were read; they can still hold what only the encoding finds wrong, such as a date in words.

    Attributes:
        body: As it came.
        rows: Values in the contract's order.
        within: Whether nothing in them can leave the contract.
        timing: Whether the answer shall say how long it took.
        began: When it was read, on `time.perf_counter`.
        traced: Whether a trace has to know when it was scored.
    """

    body: bytes
    rows: list[Any]
    within: bool
    timing: bool
    began: float
    traced: bool = False


@dataclass(frozen=True)
class Predictions:
    """What a model says of rows.

    Attributes:
        scores: Probabilities (n, classes) or values (n,).
        decided: Labels as in the training table, or values, n of them.
        ids: Of the predictions, n of them at least.
    """

    scores: Scores
    decided: list[Any]
    ids: Iterable[Id] = NO_IDS


class Predictor:
    """Answers requests with one model.

    Args:
        model: Contract, encoding and scorer.
        max_rows: Most rows in one request.
        metrics: Counts rows, predictions and violations of the contract.
        edges: Of the bins in which predicted values are counted; none: the contract's.
        ids: Gives each prediction of a JSON answer an id; none: they have none.
        log: Where predictions are logged; none: nowhere.
    """

    def __init__(
        self,
        model: Model,
        max_rows: int,
        metrics: PredictionMetrics,
        edges: Sequence[float] | None = None,
        ids: PredictionIds | None = None,
        log: PredictionLog | None = None,
    ) -> None:
        self.model, self.metrics, self.max_rows = model, metrics, max_rows
        self._ids, self._log = ids, log
        contract = model.contract
        self.decoder = Decoder(contract, max_rows)
        self.answers = AnswerEncoder(model)
        self._narrow = _decoder(contract, max_rows, narrow=True)
        self._wide = _decoder(contract, max_rows, narrow=False)
        self._encoder = TypedEncoder(contract)
        self._violations = Violations(contract)
        self._whole = [place for place, column in enumerate(contract.columns) if column.integer]
        # a date's range is not the decoder's to check
        self._narrow_is_within = not any(column.kind == "datetime" for column in contract.columns)
        self._row: RowScorer | None = None
        if isinstance(model.scorer, OnnxScorer):
            self._row = RowScorer(model.scorer, len(contract.target.classes) or 1)
            self._score_traced_row: Callable[[], list[float]] = self._row
            self._encode_row = RowEncoder(contract, self._row.matrix)
            keeps_rows = metrics.cells is not None or log is not None
            self._record = self._row.record if keeps_rows else self._row.scores
            metrics.at_flush.append(self._tell_rows)
        self._kept, self._kept_ids = bytearray(), bytearray()
        self.seconds_a_row = self._measure()
        metrics.expect(self.answers.classes, self._violations.possible, edges or contract.target.bins)

    def score_by(self, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Wraps what scores; of single rows only those of a traced request."""
        self.model.scorer = wrap(self.model.scorer)
        if self._row is not None:
            self._score_traced_row = wrap(self._row)

    def answer(self, body: bytes) -> bytes:
        """Answers a JSON body with a JSON body.

        Raises:
            RequestProblem: The body is not JSON, or does not fit the contract.
        """
        return self.finish(self.read(body))

    def read(self, body: bytes, most_checked: float = math.inf) -> Request:
        """Reads a JSON body.

        Args:
            body: The body.
            most_checked: Maximum number of values to check one by one, which is done where the types of a request do
                not fit.

        Raises:
            Deferred: More values would have to be checked; `read_checked` does that.
            RequestProblem: The body is not JSON (400), has too many rows (413), or wrong fields (422).
        """
        began = time.perf_counter()
        if len(body) > self.decoder.unchecked_bytes:
            self.decoder.check_size(body)
        try:
            document = self._narrow(body)
            return Request(body, document.rows, self._narrow_is_within, document.timing, began)
        except REFUSALS:
            pass
        try:
            document = self._wide(body)
            if all(self._is_whole(row) for row in document.rows):
                return Request(body, document.rows, False, document.timing, began)
        except REFUSALS:
            pass
        # the first two brackets or braces are those of the request and of its list
        if (body.count(b"{") + body.count(b"[") - 2) * len(self.model.contract.columns) > most_checked:
            raise Deferred
        return self.read_checked(body)

    def read_checked(self, body: bytes) -> Request:
        """Reads a JSON body value by value, which takes other spellings too and explains what is wrong.

        Raises:
            RequestProblem: As `read` does.
        """
        began = time.perf_counter()
        table, timing = self.decoder.decode(body)
        self.metrics.count_handed_on()
        return Request(body, list(zip(*table.values(), strict=True)), False, timing, began)

    def finish(self, request: Request) -> bytes:
        """Predicts the rows of a request and writes the answer; for any thread.

        Raises:
            RequestProblem: Only the encoding found what is wrong with a field (422).
        """
        matrix = self._encode(request)
        encoded = time.perf_counter()
        predictions = self._predict(matrix, self._ids)
        timing = None
        if request.timing:
            scored = time.perf_counter()
            timing = {"decode_ms": 1e3 * (encoded - request.began), "predict_ms": 1e3 * (scored - encoded)}
        return self.answers.many(predictions.scores, predictions.decided, timing, predictions.ids)

    def finish_one(self, request: Request) -> bytes:
        """Does what `finish` does, for one row and in one thread at a time, through buffers that are there already.

        Raises:
            RequestProblem: As `finish` does.
        """
        if self._row is None or request.timing:
            return self.finish(request)
        row = request.rows[0]
        try:
            self._encode_row(row if type(row) is tuple else astuple(row))
        except REFUSALS:
            return self.finish(request)
        if not request.within and self._violations.find(self._row.matrix):
            return self.finish(request)
        scores = self._score_traced_row() if request.traced else self._row()
        if not math.isfinite(sum(scores)):
            return self.finish(request)
        code = self.answers.code(scores)
        self._kept += self._record
        if self._ids is None:
            return self.answers.one(scores, code)
        identity = self._ids.issue(code, scores[code] if len(scores) > 2 else scores[-1])
        self._kept_ids += identity
        return self.answers.one(scores, code, identity)

    def predict_table(self, table: Mapping[str, Any]) -> Predictions:
        """Predicts columns of equal length, which are in no request of ours.

        Raises:
            ContractViolation: A column is missing, a value is of another kind, or leaves the contract where that
                is refused.
        """
        matrix = self.model.encoder.encode(table)
        self._count_violations(matrix)
        return self._predict(matrix)

    def answer_document(self, document: Any) -> Any:
        """Answers a request that is read already: ``{"rows": [...]}``, with ``columns`` and ``timing`` if need be.

        Raises:
            RequestProblem: The request does not fit the contract.
        """
        return msgspec.json.decode(self.answer(msgspec.json.encode(document)))

    def _encode(self, request: Request) -> NDArray[np.float32]:
        try:
            rows = [row if type(row) is tuple else astuple(row) for row in request.rows]
            columns = zip(self.model.contract.names, zip(*rows, strict=True), strict=True)
            matrix = self._encoder.encode(dict(columns))
            if not request.within:
                self._count_violations(matrix)
        except ContractViolation:
            # it names every wrong field
            self.decoder.decode(request.body)
            raise
        return matrix

    def _count_violations(self, matrix: NDArray[np.float32]) -> None:
        found = self._violations.find(matrix)
        refused = [f"column {one.column!r}: {one.count} rows are {WORDS[one.kind]}" for one in found if one.refused]
        if refused:
            raise ContractViolation(refused)
        for one in found:
            self.metrics.count_violation(one.column, one.kind, one.count)

    def _predict(self, matrix: NDArray[np.float32], issuer: PredictionIds | None = None) -> Predictions:
        scores = self.model.scorer(matrix)
        if not np.isfinite(scores).all():
            raise _no_answer(scores)
        classes = self.answers.classes
        codes = self._count(matrix, scores)
        ids = None if issuer is None else list(map(issuer.issue, codes.tolist(), _shown(scores, codes).tolist()))
        if self._log is not None:
            self._log.add(b"".join(ids or ()), matrix, scores)
        return Predictions(scores, self.model.decide(scores).tolist() if classes else scores.tolist(), ids or NO_IDS)

    def _tell_rows(self) -> None:
        """Counts and logs the rows that were answered one by one since the last time."""
        if not self._kept:
            return
        assert self._row is not None
        kept, ids = self._kept, self._kept_ids
        self._kept, self._kept_ids = bytearray(), bytearray()
        matrix, scores = self._row.split(kept, len(kept) // self._record.nbytes)
        self._count(matrix, scores if self.answers.classes else scores[:, 0])
        if self._log is not None:
            self._log.add_each(ids, matrix, scores)

    def _count(self, matrix: NDArray[np.float32], scores: Scores) -> NDArray[np.int64]:
        """Counts rows; returns the codes of their classes, 0 where values are predicted."""
        classes = self.answers.classes
        codes = self.model.codes(scores) if classes else np.zeros(len(scores), dtype=np.int64)
        if self.metrics.cells is not None:
            self.metrics.cells.count(matrix, codes if classes else scores)
        if classes:
            self.metrics.count_codes(codes)
        else:
            self.metrics.count_values(scores)
        return codes

    def _measure(self) -> float:
        """Seconds that a row takes: to check each value, and to score the example, alone or many times if fast."""
        example = self.model.contract.example  # a contract written by hand may have none
        matrix = self.model.encode({name: [example.get(name)] for name in self.model.contract.names})
        for rows in (1, MEASURED_ROWS):
            matrix = np.repeat(matrix[:1], rows, axis=0)
            taken = []
            for _ in range(3):
                began = time.perf_counter()
                self.model.scorer(matrix)
                taken.append(time.perf_counter() - began)
            if min(taken) > SLOW_S:
                break
        return min(taken) / rows + len(self.model.contract.columns) * SECONDS_A_VALUE

    def _is_whole(self, row: Any) -> bool:
        """The wide type takes any number where the contract has whole ones."""
        values = row if type(row) is tuple else astuple(row)
        return all(values[place] is None or values[place].is_integer() for place in self._whole)


def _shown(scores: Scores, codes: NDArray[np.int64]) -> Scores:
    """The score that an id carries: a value, the positive class's probability, or of many classes the predicted's."""
    if scores.ndim == 1:
        return scores
    return scores[:, 1] if scores.shape[1] == 2 else np.take_along_axis(scores, codes[:, None], 1)[:, 0]


def _no_answer(scores: Scores) -> RequestProblem:
    """Numbers at the end of what float32 holds are numbers, but a model may not be able to add them up."""
    rows = np.flatnonzero(~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)).tolist()
    expected = "numbers that the model can calculate with"
    problems = [
        FieldProblem(path=where, expected=expected, received="larger ones", detail=f"{where}: the model has no answer")
        for where in (pointer("rows", row) for row in rows[:MOST_ERRORS])
    ]
    detail = (
        f"the model has no answer to {len(rows)} rows, the first at {problems[0].path}; a number is too large there"
    )
    return RequestProblem(422, detail, problems)


def _decoder(contract: Contract, max_rows: int, *, narrow: bool) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(request_type(contract, max_rows, narrow=narrow)).decode
