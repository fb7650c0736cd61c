"""The Open Inference Protocol, version 2, over REST, with the binary tensor extension.

Its clients, such as tritonclient's and KServe's, read errors as the member ``error`` of a body whose type is
application/json, so problem details have both here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from pydantic import BaseModel

from modelyard import __version__
from modelyard.api.endpoints import JSON, Answer, Endpoint, Fixed, Headers, Prediction, refusal
from modelyard.api.predict import Predictor
from modelyard.api.problems import RequestProblem, describe
from modelyard.api.tensor_table import Columns, TensorReader, TensorWriter, natural_datatype
from modelyard.api.tensors import wrong
from modelyard.api.v2_messages import (
    JSON_LENGTH,
    InferAnswer,
    InferRequest,
    Liveness,
    ModelMetadata,
    OutputParameters,
    Readiness,
    RequestReader,
    ServerMetadata,
    TensorMetadata,
    V2Problem,
)
from modelyard.errors import ContractViolation
from modelyard.models.model import Model
from modelyard.monitoring.metrics import PredictionMetrics, RouteMetrics

__all__ = ["Infer", "model_path", "v2_endpoints"]

BELOW = "/v2/"
# what Triton's clients can ask of an output besides
UNSERVED = {
    "classification": "label and probabilities, which say the same,",
    "shared_memory_region": "values in the answer,",
}


def model_path(model: Model) -> str:
    """Returns the path of a served model."""
    return f"{BELOW}models/{model.name}"


def v2_endpoints(predictor: Predictor, metrics: PredictionMetrics) -> Mapping[str, Endpoint]:
    """Returns the protocol's endpoints by path; the one at /v2/ answers everything below that is not there."""
    model = predictor.model
    server = ServerMetadata(name="modelyard", version=__version__, extensions=["binary_tensor_data"])
    found: dict[str, Endpoint] = {
        "/v2": _Fixed(metrics.route("/v2"), _constant(server)),
        "/v2/health/live": _Fixed(metrics.route("/v2/health/live"), _constant(Liveness())),
        "/v2/health/ready": _Fixed(metrics.route("/v2/health/ready"), _readiness()),
        BELOW: _Missing(metrics.route(BELOW), model),
    }
    parts = {part: metrics.route(f"{BELOW}models/NAME{part}") for part in ("", "/ready", "/infer")}
    for path in (model_path(model), f"{model_path(model)}/versions/{model.version}"):
        found[path] = _Fixed(parts[""], _constant(_describe(model)))
        found[f"{path}/ready"] = _Fixed(parts["/ready"], _readiness(name=model.name))
        found[f"{path}/infer"] = Infer(parts["/infer"], predictor)
    return found


class _Endpoint(Endpoint):
    """Refuses as the protocol's clients expect it."""

    def refuse(self, problem: RequestProblem) -> Answer:
        """Returns the answer to a request that cannot be answered."""
        answer = refusal(problem)
        details = problem.details
        answer.body = V2Problem(**dict(details), error=details.detail).model_dump_json().encode()
        answer.media_type = JSON
        return answer


class _Fixed(_Endpoint, Fixed):
    """An answer that takes no work."""


class _Missing(_Fixed):
    """What is not there.

    Args:
        metrics: Its counters.
        model: What is there.
    """

    method = ""

    def __init__(self, metrics: RouteMetrics, model: Model) -> None:
        detail = (
            f"there is no such path, model or version; {model.name!r} is served in version {model.version!r}, "
            f"so ask {model_path(model)}, {model_path(model)}/ready or {model_path(model)}/infer"
        )

        def refuse(_: bool) -> NoReturn:
            raise RequestProblem(404, detail)

        super().__init__(metrics, refuse)


@dataclass(frozen=True)
class Inference:
    """A request that was read.

    Attributes:
        id: As given.
        columns: The rows.
        binary: By name of each output that is wanted, whether its values follow the JSON.
    """

    id: str | None
    columns: Columns
    binary: Mapping[str, bool]


class Infer(_Endpoint, Prediction):
    """Predicts rows given as tensors.

    Args:
        metrics: Its counters.
        predictor: Does the work.
    """

    def __init__(self, metrics: RouteMetrics, predictor: Predictor) -> None:
        super().__init__(metrics)
        self._predictor = predictor
        contract = predictor.model.contract
        self._messages = RequestReader(len(contract.columns), predictor.max_rows)
        self._reader = TensorReader(contract, predictor.max_rows)
        self._writer = TensorWriter(contract.target, predictor.model.dtype)

    def read(self, body: bytes, headers: Headers) -> Inference:
        """Returns the rows of a body."""
        request, binary = self._messages.read(body, headers)
        return Inference(request.id, self._reader.read(request.inputs, binary), self._wanted(request))

    def seconds(self, request: Inference) -> float:
        """Returns the estimate from the number of rows."""
        return request.columns.rows * self._predictor.seconds_a_row

    def finish(self, request: Inference) -> Answer:
        """Answers any number of rows."""
        try:
            predictions = self._predictor.predict_table(request.columns.table)
        except ContractViolation as violation:
            raise self._reader.explain(request.columns, str(violation)) from None
        written = [self._writer.write(predictions, name, binary=binary) for name, binary in request.binary.items()]
        model = self._predictor.model
        answer = InferAnswer(
            model_name=model.name, model_version=model.version, id=request.id, outputs=[tensor for tensor, _ in written]
        )
        body = answer.model_dump_json(exclude_none=True).encode()
        if not any(request.binary.values()):
            return Answer(body, rows=request.columns.rows)
        length = (JSON_LENGTH.lower().encode(), b"%d" % len(body))
        body = b"".join((body, *(raw for _, raw in written)))
        return Answer(body, b"application/octet-stream", headers=(length,), rows=request.columns.rows)

    def _wanted(self, request: InferRequest) -> Mapping[str, bool]:
        binary = request.parameters is not None and request.parameters.binary_data_output
        if not request.outputs:
            return dict.fromkeys(self._writer.outputs, binary)
        wanted: dict[str, bool] = {}
        for place, output in enumerate(request.outputs):
            path, parameters = ("outputs", place), output.parameters or OutputParameters()
            if output.name not in self._writer.outputs:
                expected = " or ".join(map(repr, self._writer.outputs))
                raise wrong(404, (*path, "name"), output.name, expected, describe(output.name))
            if output.name in wanted:
                raise wrong(400, (*path, "name"), output.name, "each output once", "a second one")
            for refused in {*UNSERVED} & (parameters.model_extra or {}).keys():
                raise wrong(400, (*path, "parameters"), output.name, UNSERVED[refused], refused)
            wanted[output.name] = binary if parameters.binary_data is None else parameters.binary_data
        return wanted


def _constant(document: BaseModel) -> Callable[[bool], Answer]:
    answer = Answer(document.model_dump_json().encode())
    return lambda _: answer


def _readiness(name: str | None = None) -> Callable[[bool], Answer]:
    def answer(draining: bool) -> Answer:
        body = Readiness(name=name, ready=not draining).model_dump_json(exclude_none=True)
        return Answer(body.encode(), status=503 if draining else 200)

    return answer


def _describe(model: Model) -> ModelMetadata:
    contract = model.contract
    outputs = TensorWriter(contract.target, model.dtype).outputs.items()
    return ModelMetadata(
        name=model.name,
        versions=[model.version],
        platform="onnxruntime_onnx" if model.compiled else "sklearn_pickle",
        inputs=[
            TensorMetadata(name=column.name, datatype=natural_datatype(column), shape=[-1])
            for column in contract.columns
        ],
        outputs=[
            TensorMetadata(name=name, datatype=datatype, shape=[-1, width] if width else [-1])
            for name, (datatype, width) in outputs
        ],
    )
