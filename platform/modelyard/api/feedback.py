"""Outcomes of earlier predictions: what clients tell of them once it is known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from modelyard.api.endpoints import Answer, Headers, Prediction, other_format
from modelyard.api.json_size import JsonLimits
from modelyard.api.models import class_text
from modelyard.api.prediction_ids import ForeignId, PredictionIds
from modelyard.api.problems import MOST_ERRORS, FieldProblem, RequestProblem, describe, pointer, shorten
from modelyard.data.contract import Target
from modelyard.data.encoding import LARGEST
from modelyard.monitoring.feedback import FeedbackMetrics, Outcome
from modelyard.monitoring.metrics import RouteMetrics

__all__ = ["FEEDBACK", "FeedbackEndpoint"]

FEEDBACK = "/api/v1/feedback"
SECONDS_AN_OUTCOME = 5e-6
SHAPE = '{"feedback": [{"id": "the id of a prediction", "actual": "what it turned out to be"}]}'


class Told(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """One outcome, as a client tells it.

    Attributes:
        id: Of the prediction.
        actual: The true label or value.
    """

    id: str
    actual: str | bool | int | float


class Feedback(msgspec.Struct, forbid_unknown_fields=True):
    """A request.

    Attributes:
        feedback: Outcomes.
    """

    feedback: list[Told]


class FeedbackEndpoint(Prediction):
    """Takes outcomes and counts them; all of a request or, where one is wrong, none.

    Args:
        metrics: Its counters.
        ids: Reads the ids of predictions.
        outcomes: Where they are counted.
        target: What is predicted.
        max_rows: Most outcomes in one request.
    """

    def __init__(
        self, metrics: RouteMetrics, ids: PredictionIds, outcomes: FeedbackMetrics, target: Target, max_rows: int
    ) -> None:
        super().__init__(metrics)
        self._ids, self._outcomes, self._max_rows = ids, outcomes, max_rows
        self._names = [class_text(label) for label in target.classes]
        self._codes: dict[Any, int] = {}
        for code, label in enumerate(target.classes):
            self._codes |= {self._names[code]: code, label: code}
        self._decode = msgspec.json.Decoder(Feedback).decode
        # an outcome is one object with two values; a few too many are counted exactly
        self._limits = JsonLimits(
            containers=2 * max_rows + MOST_ERRORS,
            values=4 * max_rows + MOST_ERRORS,
            remedy=f"send at most {max_rows} outcomes in one request",
        )

    def read(self, body: bytes, headers: Headers) -> list[Told]:
        """Returns the outcomes of a body.

        Raises:
            RequestProblem: It is not JSON (400, 415), of another shape (422), or has too many outcomes (413).
        """
        other_format(headers, {})
        self._limits.check(body)
        try:
            told = self._decode(body).feedback
        except msgspec.ValidationError as error:
            raise RequestProblem(422, f"the body does not fit: {shorten(str(error))}; send {SHAPE}") from None
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise RequestProblem(400, f"the body is not JSON: {error}") from None
        if len(told) > self._max_rows:
            raise RequestProblem(413, f"{len(told)} outcomes are more than {self._max_rows}; send several requests")
        return told

    def seconds(self, request: list[Told]) -> float:
        """Returns the estimate from the number of outcomes."""
        return len(request) * SECONDS_AN_OUTCOME

    def finish(self, request: list[Told]) -> Answer:
        """Counts the outcomes, and reports those of predictions that were counted before as repeated.

        Raises:
            RequestProblem: An id or an outcome is wrong (422).
        """
        problems: list[FieldProblem] = []
        outcomes = [*self._outcomes_of(request, problems)]
        if problems:
            count = f"{MOST_ERRORS} or more" if len(problems) == MOST_ERRORS else len(problems)
            detail = f"{count} outcomes are wrong, and none was counted; the first: {problems[0].detail}"
            raise RequestProblem(422, detail, problems)
        counted = self._outcomes.count(outcomes)
        return Answer(b'{"counted":%d,"repeated":%d}' % (counted, len(outcomes) - counted))

    def _outcomes_of(self, request: list[Told], problems: list[FieldProblem]) -> Iterable[Outcome]:
        for place, told in enumerate(request):
            if len(problems) == MOST_ERRORS:
                return
            try:
                issued = self._ids.read(told.id)
            except ForeignId as error:
                problems.append(
                    _problem(place, "id", told.id, "an id of one of this service's predictions", str(error))
                )
                continue
            actual = self._actual(told.actual)
            if actual is None:
                expected = f"one of {', '.join(self._names)}" if self._names else "a number"
                problems.append(_problem(place, "actual", told.actual, expected, f"is not {expected}"))
                continue
            yield Outcome(issued.number, issued.version, issued.code, issued.score, actual)

    def _actual(self, told: str | bool | int | float) -> float | None:
        if self._codes:
            # 1, 1.0 and True are the same key
            return self._codes.get(told, self._codes.get(class_text(told)))
        if isinstance(told, str | bool) or not abs(told) <= LARGEST:
            return None
        return float(told)


def _problem(place: int, field: str, received: Any, expected: str, reason: str) -> FieldProblem:
    path = pointer("feedback", place, field)
    return FieldProblem(path=path, expected=expected, received=describe(received), detail=f"{path} {reason}")
