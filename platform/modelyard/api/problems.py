"""Errors of the service in one shape: RFC 9457 problem details, with every wrong field."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from modelyard.errors import ContractViolation, ModelNotFound, ModelyardError, nearest

__all__ = [
    "MEDIA_TYPE",
    "MOST_ERRORS",
    "FieldProblem",
    "Hints",
    "ProblemDetails",
    "RequestProblem",
    "describe",
    "handle_problems",
    "pointer",
    "shorten",
    "to_problem",
]

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
# of one request: a body can have any number of wrong fields
MOST_ERRORS = 100
LONGEST_NAME = 200
LONGEST_VALUE = 80
# comparing texts takes time by their number and their lengths
MOST_HINT_CANDIDATES = 50
LONGEST_HINT_NAME = 100
# to look for cycles, which no request has, it would keep every value that is not encoded to its end
ENCODER = json.JSONEncoder(ensure_ascii=False, default=repr, check_circular=False)


class FieldProblem(BaseModel):
    """One wrong field of a request."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(description="JSON pointer (RFC 6901) into the request body.", examples=["/rows/0/age"])
    expected: str = Field(description="What belongs there.", examples=["a number or null"])
    received: str = Field(description="What came, as JSON, cut after 80 characters.", examples=['"old"'])
    detail: str = Field(description="The same in a sentence.")


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.", examples=["Unprocessable Entity"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong and what to do, in a sentence.")
    errors: list[FieldProblem] = Field(default_factory=list, description="Every wrong field, up to a hundred.")


class RequestProblem(ModelyardError):
    """A request that cannot be answered.

    Args:
        status: The HTTP status.
        detail: What is wrong and what to do, in a sentence.
        errors: Every wrong field.
        headers: Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.headers = dict(headers or {})
        self.details = ProblemDetails(
            title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors)
        )


def to_problem(error: Exception) -> RequestProblem:
    """Returns what a client is told: bad rows and unknown models are the client's, the rest is ours and logged."""
    if isinstance(error, RequestProblem):
        return error
    if isinstance(error, ContractViolation):
        return RequestProblem(422, str(error))
    if isinstance(error, ModelNotFound):
        return RequestProblem(404, str(error))
    if isinstance(error, ModelyardError):
        logger.error("%s", error)
    else:
        logger.error("a request failed", exc_info=error)
    return RequestProblem(500, "the service failed; its log says why")


def pointer(*parts: str | int) -> str:
    """Returns the JSON pointer (RFC 6901) of a place in a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def shorten(text: str, longest: int = LONGEST_NAME) -> str:
    """Return a text, cut to the length that a refusal may quote."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def describe(value: Any) -> str:
    """Return a received value as JSON of at most 80 characters.

    Only the beginning of a long value is encoded, so the cost does not depend on its size.
    """
    if isinstance(value, str | bytes):
        value = value[:LONGEST_VALUE]
    text = ""
    try:
        for part in ENCODER.iterencode(value):
            text += part
            if len(text) > LONGEST_VALUE:
                break
    except (ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return shorten(text, LONGEST_VALUE)


class Hints:
    """Suggestions for one request: only its first unknown name gets one, since comparing texts is slow."""

    def __init__(self) -> None:
        self._given = False

    def suggest(self, name: str, candidates: Collection[str]) -> str:
        """Return the nearest candidates in words, or an empty text once the request has had a suggestion."""
        if self._given or len(candidates) > MOST_HINT_CANDIDATES or len(name) > LONGEST_HINT_NAME:
            return ""
        self._given = True
        return nearest(name, candidates)


def handle_problems(app: FastAPI) -> None:
    """Makes an application answer every error as problem details."""
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    for kind in (ModelyardError, Exception):
        app.add_exception_handler(kind, _on_error)


def _response(problem: RequestProblem) -> Response:
    details = problem.details
    return Response(details.model_dump_json(), details.status, headers=problem.headers, media_type=MEDIA_TYPE)


async def _on_error(_: Request, error: Exception) -> Response:
    return _response(to_problem(error))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if detail == HTTPStatus(error.status_code).phrase:
        detail = {
            404: f"there is nothing at {request.url.path}; /docs lists what there is",
            405: f"{request.url.path} does not answer {request.method}; /docs lists what it answers",
        }.get(error.status_code, detail)
    return _response(RequestProblem(error.status_code, detail, headers=error.headers))


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = []
    for item in islice(error.errors(), MOST_ERRORS):
        path, received = shorten(pointer(*item["loc"][1:])), describe(item.get("input"))
        errors.append(FieldProblem(path=path, expected=item["msg"], received=received, detail=f"{path}: {item['msg']}"))
    detail = errors[0].detail if errors else "the request does not fit"
    return _response(RequestProblem(422, detail, errors))
