"""What the OpenAPI document says of the lane's endpoints, typed column by column."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from modelyard.api.models import answer_model, request_model
from modelyard.api.problems import MEDIA_TYPE, ProblemDetails
from modelyard.api.serving import PREDICT, Serving

__all__ = ["complete_openapi"]

Document = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"
REFUSALS = {
    400: "The body is not JSON, or not what its headers say.",
    401: "A key is needed.",
    408: "The body did not come in time.",
    413: "The body or the number of rows is past the limit.",
    415: "The body is of another type.",
    422: "Fields do not fit the contract; each of them is named.",
    429: "Too many requests at the same time.",
    503: "The service is about to end.",
}
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
    return {
        PREDICT[0]: {"post": predict},
        "/livez": {"get": {**probe, "summary": "Whether the process works", "operationId": "livez"}},
        "/readyz": {"get": {**ready, "summary": "Whether it takes requests", "operationId": "readyz"}},
    }


def _schemas(serving: Serving) -> Document:
    """The JSON schemas of bodies that the lane reads and writes by itself."""
    contract = serving.served.model.contract
    bodies: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (request_model(contract, serving.settings.serving.max_rows), "validation"),
        (answer_model(contract), "serialization"),
        (ProblemDetails, "validation"),
    ]
    _, document = models_json_schema(bodies, ref_template=REFERENCE)
    schemas: Document = document["$defs"]
    return schemas


def _refusals(*codes: int) -> Document:
    content = {MEDIA_TYPE: {"schema": _reference(ProblemDetails.__name__)}}
    return {str(code): {"description": REFUSALS[code], "content": content} for code in codes}


def _reference(model: str) -> Document:
    return {"$ref": REFERENCE.format(model=model)}
