"""What the lane answers: endpoints that are fixed, and those that predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec

from modelyard.api.predict import Predictor, Request
from modelyard.api.problems import MEDIA_TYPE, RequestProblem
from modelyard.monitoring.metrics import PredictionMetrics, RouteMetrics

__all__ = ["Answer", "Endpoint", "Fixed", "Headers", "JsonPrediction", "Prediction", "Scrape", "refusal"]

Headers = Mapping[bytes, bytes]
JSON = b"application/json"


class Answer(msgspec.Struct, gc=False):
    """What is sent.

    Attributes:
        body: The body.
        media_type: Its type.
        status: The HTTP status.
        headers: Further headers.
    """

    body: bytes
    media_type: bytes = JSON
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


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
    """

    def __init__(self, metrics: RouteMetrics, predictor: Predictor) -> None:
        super().__init__(metrics)
        self._predictor = predictor

    def read(self, body: bytes, headers: Headers) -> Request:
        """Returns the rows of a body."""
        given = headers.get(b"content-type", JSON)
        if given != JSON and given.partition(b";")[0].strip().lower() != JSON:
            raise RequestProblem(
                415,
                f"the body is {given.decode('latin-1')}; send JSON with the header Content-Type: application/json",
            )
        return self._predictor.read(body)

    def seconds(self, request: Request) -> float:
        """Returns the estimate from the number of rows."""
        return len(request.rows) * self._predictor.seconds_a_row

    def finish(self, request: Request) -> Answer:
        """Answers any number of rows."""
        return Answer(self._predictor.finish(request))

    def finish_inline(self, request: Request) -> Answer:
        """Answers one row through buffers that are there already."""
        if len(request.rows) == 1:
            return Answer(self._predictor.finish_one(request))
        return Answer(self._predictor.finish(request))
