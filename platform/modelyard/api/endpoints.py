"""What the lane answers: endpoints that are fixed, and those that predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec

from modelyard.api.predict import Deferred, Predictor, Request
from modelyard.api.problems import MEDIA_TYPE, RequestProblem
from modelyard.monitoring.metrics import PredictionMetrics, RouteMetrics

__all__ = [
    "Answer",
    "Endpoint",
    "Fixed",
    "Format",
    "Headers",
    "JsonPrediction",
    "Prediction",
    "Scrape",
    "other_format",
    "refusal",
]

Headers = Mapping[bytes, bytes]
JSON = b"application/json"
# values that may be checked one by one on the event loop, which takes up to 10 ms
INLINE_VALUES = 2000


class Answer(msgspec.Struct, gc=False):
    """What is sent.

    Attributes:
        body: The body.
        media_type: Its type.
        status: The HTTP status.
        headers: Further headers.
        rows: How many it predicts.
    """

    body: bytes
    media_type: bytes = JSON
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    rows: int = 0


# answers a body; raises RequestProblem
Format = Callable[[bytes], Answer]


def other_format(headers: Headers, formats: Mapping[bytes, Format]) -> Format | None:
    """Returns what answers a body by its media type; none where it is JSON.

    Raises:
        RequestProblem: Nothing does (415).
    """
    given = headers.get(b"content-type", JSON)
    if given == JSON or (media_type := given.partition(b";")[0].strip().lower()) == JSON:
        return None
    answer = formats.get(media_type)
    if answer is None:
        known = ", ".join(each.decode() for each in (JSON, *formats))
        raise RequestProblem(415, f"the body is {given.decode('latin-1')}; send it as one of: {known}")
    return answer


def refusal(problem: RequestProblem) -> Answer:
    """Returns the answer to a request that cannot be answered."""
    further = tuple((name.lower().encode(), value.encode()) for name, value in problem.headers.items())
    details = problem.details
    return Answer(details.model_dump_json().encode(), MEDIA_TYPE.encode(), details.status, further)


class Endpoint(ABC):
    """One path.

    Args:
        metrics: Its counters.

    Attributes:
        method: The one method that it answers, GET with HEAD; empty where it answers all.
        reads: Whether it reads a body.
    """

    method: ClassVar[str]
    reads: ClassVar[bool] = False

    def __init__(self, metrics: RouteMetrics) -> None:
        self.metrics = metrics

    def refuse(self, problem: RequestProblem) -> Answer:
        """Returns the answer to a request that cannot be answered."""
        return refusal(problem)


class Fixed(Endpoint):
    """An endpoint whose answer takes no work and no body.

    Args:
        metrics: Its counters.
        answer: Gives the answer; is told whether the process is about to end.
    """

    method = "GET"

    def __init__(self, metrics: RouteMetrics, answer: Callable[[bool], Answer]) -> None:
        super().__init__(metrics)
        self.answer = answer


class Scrape(Endpoint):
    """The figures of the service, for Prometheus.

    Args:
        metrics: Its own counters.
        figures: All counters.
        media_type: Of the text.
    """

    method = "GET"

    def __init__(self, metrics: RouteMetrics, figures: PredictionMetrics, media_type: bytes) -> None:
        super().__init__(metrics)
        self._figures, self._media_type = figures, media_type

    def answer(self) -> Answer:
        """Gathers the figures of all workers; takes milliseconds, and may be done by any thread."""
        return Answer(self._figures.expose(), self._media_type)


class Whole(msgspec.Struct, gc=False):
    """A body that is read, predicted and answered in one piece.

    Attributes:
        body: The body.
        answer: What answers it.
    """

    body: bytes
    answer: Format


class Prediction(Endpoint):
    """An endpoint that reads rows and predicts them."""

    method = "POST"
    reads = True

    @abstractmethod
    def read(self, body: bytes, headers: Headers) -> Any:
        """Returns a request that was read; for any thread.

        Raises:
            RequestProblem: It cannot be read.
        """

    @abstractmethod
    def seconds(self, request: Any) -> float:
        """Returns how long `finish` will take, by estimate."""

    @abstractmethod
    def finish(self, request: Any) -> Answer:
        """Predicts and answers; for any thread.

        Raises:
            RequestProblem: The rows do not fit the contract.
        """

    def finish_inline(self, request: Any) -> Answer:
        """Does what `finish` does, on the event loop's thread."""
        return self.finish(request)


class JsonPrediction(Prediction):
    """Predicts rows given as JSON, and in other formats by their media types.

    Args:
        metrics: Its counters.
        predictor: Does the work.
        formats: What answers bodies of other media types.
    """

    def __init__(self, metrics: RouteMetrics, predictor: Predictor, formats: Mapping[bytes, Format]) -> None:
        super().__init__(metrics)
        self._predictor, self._formats = predictor, formats

    def read(self, body: bytes, headers: Headers) -> Request | Whole:
        """Returns the rows of a body; what is in another format, or takes long to check, is left to `finish`."""
        answer = other_format(headers, self._formats)
        if answer is not None:
            return Whole(body, answer)
        try:
            return self._predictor.read(body, INLINE_VALUES)
        except Deferred:
            return Whole(body, self._answer_checked)

    def seconds(self, request: Request | Whole) -> float:
        """Returns the estimate from the number of rows; other formats are for many."""
        return len(request.rows) * self._predictor.seconds_a_row if type(request) is Request else float("inf")

    def finish(self, request: Request | Whole) -> Answer:
        """Answers any number of rows."""
        if isinstance(request, Whole):
            return request.answer(request.body)
        return Answer(self._predictor.finish(request), rows=len(request.rows))

    def finish_inline(self, request: Request | Whole) -> Answer:
        """Answers one row through buffers that are there already."""
        if type(request) is Request and len(request.rows) == 1:
            return Answer(self._predictor.finish_one(request), rows=1)
        return self.finish(request)

    def _answer_checked(self, body: bytes) -> Answer:
        request = self._predictor.read_checked(body)
        return Answer(self._predictor.finish(request), rows=len(request.rows))
