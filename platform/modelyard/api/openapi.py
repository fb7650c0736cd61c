"""What the OpenAPI document says of the lane's endpoints, typed column by column."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from modelyard.api.feedback import FEEDBACK
from modelyard.api.models import FeedbackAnswer, FeedbackRequest, answer_model, request_model
from modelyard.api.problems import MEDIA_TYPE, ProblemDetails
from modelyard.api.serving import PREDICT, Serving
from modelyard.api.tensor_table import natural_datatype
from modelyard.api.v2 import model_path
from modelyard.api.v2_messages import (
    InferAnswer,
    InferRequest,
    Liveness,
    ModelMetadata,
    Readiness,
    ServerMetadata,
    V2Problem,
)
from modelyard.data.contract import Column, Contract
from modelyard.data.encoding import booleans, category_text

__all__ = ["complete_openapi"]

Document = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"
REFUSALS = {
    400: "The body is not JSON, or not what its headers say.",
    401: "A key is needed.",
    404: "There is no such output.",
    408: "The body did not come in time.",
    413: "The body or the number of rows is past the limit.",
    415: "The body is of another type.",
    422: "Fields do not fit the contract; each of them is named.",
    429: "Too many requests at the same time.",
    503: "The service is about to end.",
}
FEEDBACK_BODIES = (FeedbackRequest, FeedbackAnswer)
V2_BODIES = (InferRequest, InferAnswer, ServerMetadata, ModelMetadata, Liveness, Readiness, V2Problem)
V2_TENSORS = (
    "One tensor for each column, of the shape [rows] or [rows, 1]; where all columns are numeric also a single one, of "
    "any other name and the shape [rows, columns]. Columns of numbers take every datatype of numbers, booleans BOOL or "
    "numbers, categories BYTES (and numbers, where some are), dates BYTES. A null is NaN in a tensor of floats, null "
    "in JSON, and in BYTES an empty text, None, nan, <NA> or NaT, except where the column has a category of that name. "
    "Probabilities are in the order of the classes at /api/v1/models. Values may follow the JSON, as the binary tensor "
    "extension has it; Inference-Header-Content-Length then says how long the JSON is."
)
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def complete_openapi(app: FastAPI, serving: Serving) -> None:
    """Lets an application's OpenAPI document speak of the endpoints that the lane answers."""
    generate = app.openapi
    paths, schemas = _paths(serving), _schemas(serving)

    def openapi() -> Document:
        document = generate()
        document["paths"] = {**paths, **document["paths"]}
        components = document.setdefault("components", {})
        components["schemas"] = {**components.get("schemas", {}), **schemas}
        if serving.settings.serving.keys_file:
            components["securitySchemes"] = SCHEMES
            document["security"] = [{name: []} for name in SCHEMES]
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _paths(serving: Serving) -> Document:
    target = serving.served.model.contract.target.name
    predict = {
        "tags": ["prediction"],
        "summary": f"Predict {target}",
        "operationId": "predict",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference("PredictRequest")}}},
        "responses": {
            "200": {
                "description": "A prediction for each row, in the order of the request.",
                "content": {"application/json": {"schema": _reference("PredictAnswer")}},
            },
            **_refusals(400, 401, 408, 413, 415, 422, 429),
        },
    }
    alive = {"200": {"description": "Yes.", "content": {"text/plain": {}}}}
    probe = {"tags": ["service"], "responses": alive}
    ready = {"tags": ["service"], "responses": {**alive, "503": {"description": REFUSALS[503]}}}
    feedback = {
        "tags": ["prediction"],
        "summary": "Tell what became of predictions",
        "operationId": "feedback",
        "description": "All outcomes of a request are counted or, where one is wrong, none. Tell each of them once.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _reference("FeedbackRequest")}}},
        "responses": {
            "200": {
                "description": "All were counted.",
                "content": {"application/json": {"schema": _reference("FeedbackAnswer")}},
            },
            **_refusals(400, 401, 408, 413, 415, 422, 429),
        },
    }
    return {
        PREDICT[0]: {"post": predict},
        **({FEEDBACK: {"post": feedback}} if FEEDBACK in serving.endpoints else {}),
        "/livez": {"get": {**probe, "summary": "Whether the process works", "operationId": "livez"}},
        "/readyz": {"get": {**ready, "summary": "Whether it takes requests", "operationId": "readyz"}},
        **_v2_paths(serving),
    }


def _v2_paths(serving: Serving) -> Document:
    """The Open Inference Protocol; every path below the model's is there with /versions/VERSION too."""
    model = serving.served.model
    path = model_path(model)
    example = {"inputs": [_example_tensor(column, model.contract) for column in model.contract.columns]}
    request = {"schema": _reference(InferRequest.__name__), "example": example}
    body = {"application/json": request, "application/octet-stream": {}}
    answer = {"application/json": {"schema": _reference(InferAnswer.__name__)}, "application/octet-stream": {}}
    infer = {
        "tags": ["Open Inference Protocol"],
        "summary": f"Predict {model.contract.target.name} of tensors",
        "operationId": "v2_infer",
        "description": V2_TENSORS,
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The outputs.", "content": answer},
            **_refusals(400, 401, 404, 408, 413, 415, 422, 429, of=V2Problem),
        },
    }
    return {
        "/v2": {"get": _v2_look(ServerMetadata, "v2", "What serves")},
        "/v2/health/live": {"get": _v2_look(Liveness, "v2_live", "Whether the process works")},
        "/v2/health/ready": {"get": _v2_look(Readiness, "v2_ready", "Whether it takes requests")},
        path: {"get": _v2_look(ModelMetadata, "v2_model", "The model's inputs and outputs")},
        f"{path}/ready": {"get": _v2_look(Readiness, "v2_model_ready", "Whether the model takes requests")},
        f"{path}/infer": {"post": infer},
    }


def _v2_look(answer: type[BaseModel], name: str, summary: str) -> Document:
    content = {"application/json": {"schema": _reference(answer.__name__)}}
    responses = {"200": {"description": "Yes.", "content": content}}
    if answer is Readiness:
        responses["503"] = {"description": REFUSALS[503], "content": content}
    return {
        "tags": ["Open Inference Protocol"],
        "summary": summary,
        "operationId": name,
        "responses": {**responses, **_refusals(401, 429, of=V2Problem)},
    }


def _example_tensor(column: Column, contract: Contract) -> Document:
    value, datatype = contract.example.get(column.name), natural_datatype(column)
    if datatype == "BYTES":
        value = category_text(value)
    elif datatype == "BOOL" and value is not None:
        value = bool(booleans([value], column.name)[0])
    return {"name": column.name, "datatype": datatype, "shape": [1], "data": [value]}


def _schemas(serving: Serving) -> Document:
    """The JSON schemas of bodies that the lane reads and writes by itself."""
    contract = serving.served.model.contract
    bodies: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (request_model(contract, serving.settings.serving.max_rows), "validation"),
        (answer_model(contract, ids=FEEDBACK in serving.endpoints), "serialization"),
        *((body, "validation") for body in (ProblemDetails, *FEEDBACK_BODIES, *V2_BODIES)),
    ]
    _, document = models_json_schema(bodies, ref_template=REFERENCE)
    schemas: Document = document["$defs"]
    return schemas


def _refusals(*codes: int, of: type[ProblemDetails] = ProblemDetails) -> Document:
    media_type = MEDIA_TYPE if of is ProblemDetails else "application/json"
    content = {media_type: {"schema": _reference(of.__name__)}}
    return {str(code): {"description": REFUSALS[code], "content": content} for code in codes}


def _reference(model: str) -> Document:
    return {"$ref": REFERENCE.format(model=model)}
