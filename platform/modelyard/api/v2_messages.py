"""Messages of the Open Inference Protocol, version 2, over REST."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from modelyard.api.decoding import SPARE_VALUES
from modelyard.api.endpoints import Headers
from modelyard.api.json_size import JsonLimits
from modelyard.api.problems import MOST_ERRORS, ProblemDetails, RequestProblem, describe
from modelyard.api.tensors import Datatype, Tensor, merge, wrong

__all__ = [
    "JSON_LENGTH",
    "InferAnswer",
    "InferRequest",
    "Liveness",
    "ModelMetadata",
    "OutputParameters",
    "Readiness",
    "RequestReader",
    "ServerMetadata",
    "TensorMetadata",
    "V2Problem",
]

# says how long the JSON is where tensors follow it
JSON_LENGTH = "Inference-Header-Content-Length"
LONGEST_LENGTH = 18  # digits
# values may come in a list for each row, even those of a single column
NESTED_LISTS = 100_000
Strict = Annotated[bool, Field(strict=True)]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="allow")


class OutputParameters(_Parameters):
    """How an output shall come."""

    binary_data: Strict | None = Field(None, description="Whether its values shall follow the JSON; none: as others.")


class RequestParameters(_Parameters):
    """How outputs shall come."""

    binary_data_output: Strict = Field(False, description="Whether values shall follow the JSON.")


class RequestedOutput(BaseModel):
    """An output that is wanted."""

    name: str
    parameters: OutputParameters | None = None


class InferRequest(BaseModel):
    """Rows as tensors: one for each column, or one of all numbers, shape [rows, columns]."""

    id: str | None = Field(None, description="Comes back in the answer.")
    parameters: RequestParameters | None = None
    inputs: list[Tensor]
    outputs: Annotated[list[RequestedOutput], Field(max_length=MOST_ERRORS)] | None = Field(
        None, description="None: all."
    )


class InferAnswer(BaseModel):
    """Predictions as tensors, in the order of the rows."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[Tensor]


class ServerMetadata(BaseModel):
    """What serves."""

    name: str
    version: str
    extensions: list[str]


class Liveness(BaseModel):
    """Whether the process works."""

    live: Literal[True] = True


class Readiness(BaseModel):
    """Whether requests are taken."""

    name: str | None = Field(None, description="The model; none: the server.")
    ready: bool


class TensorMetadata(BaseModel):
    """A tensor of a model; -1 stands for any number of rows."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model's inputs and outputs."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class V2Problem(ProblemDetails):
    """An error as RFC 9457 describes it, and where clients of the protocol look for it."""

    error: str = Field(description="The detail.")


class RequestReader:
    """Reads inference requests.

    Args:
        columns: Number of columns of the contract.
        max_rows: Maximum number of rows in one request.
    """

    def __init__(self, columns: int, max_rows: int) -> None:
        self._columns = columns
        # a few tensors too many are named one by one
        self._max_inputs = columns + MOST_ERRORS
        self._limits = JsonLimits(
            containers=4 * (self._max_inputs + MOST_ERRORS) + max_rows + NESTED_LISTS,
            values=max_rows * columns + SPARE_VALUES,
            remedy=f"send at most {max_rows} rows in one request, and the values of a tensor in one flat list",
        )

    def read(self, body: bytes, headers: Headers) -> tuple[InferRequest, memoryview]:
        """Read a request; NaN is accepted, since tritonclient sends it.

        Returns:
            The request, and the bytes that follow its JSON.

        Raises:
            RequestProblem: The request is malformed (400), too large (413), or has too many inputs (422).
        """
        document, binary = _split(body, headers)
        self._limits.check(document)
        try:
            found = from_json(document)
        except ValueError as error:
            hint = f"; where tensors follow it, {JSON_LENGTH} must say where it ends"
            raise RequestProblem(400, f"the body is not JSON: {error}{hint}") from None
        self._check_inputs(found)
        try:
            return InferRequest.model_validate(found), binary
        except ValidationError as error:
            problems = [_malformed(item, found) for item in error.errors(include_url=False)[:MOST_ERRORS]]
            raise merge(problems) from None

    def _check_inputs(self, document: Any) -> None:
        """Check the number of inputs before each of them is validated."""
        inputs = document.get("inputs") if isinstance(document, dict) else None
        if isinstance(inputs, list) and not 0 < len(inputs) <= self._max_inputs:
            raise RequestProblem(422, f"/inputs: expected {self._columns} tensors, not {len(inputs)}")


def _split(body: bytes, headers: Headers) -> tuple[bytes, memoryview]:
    """Cuts the JSON from what follows it."""
    length = headers.get(JSON_LENGTH.lower().encode())
    if length is None:
        return body, memoryview(b"")
    if not length.isdigit() or len(length) > LONGEST_LENGTH or int(length) > len(body):
        shown = describe(length.decode("latin-1"))
        raise RequestProblem(
            400, f"{JSON_LENGTH}: expected the length of the JSON, at most the body's {len(body)} bytes, not {shown}"
        )
    return body[: int(length)], memoryview(body)[int(length) :]


def _malformed(item: Any, document: Any) -> RequestProblem:
    path = item["loc"]
    name = ""
    if len(path) > 1 and path[0] in ("inputs", "outputs") and isinstance(document[path[0]][path[1]], dict):
        given = document[path[0]][path[1]].get("name", "")
        name = given if isinstance(given, str) else ""
    if item["type"] == "missing":
        return wrong(400, path, name, "a value", "nothing")
    expected = "an object" if item["type"] == "model_type" else item["msg"].removeprefix("Input should be ")
    return wrong(400, path, name, expected, describe(item["input"]))
