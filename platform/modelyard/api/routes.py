"""The endpoints."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from modelyard.api.models import Health, ModelReference, ParityCounts, answer_model, request_model
from modelyard.api.predict import Predictor
from modelyard.api.problems import MEDIA_TYPE, ProblemDetails, RequestProblem
from modelyard.api.source import ServedModel
from modelyard.data.contract import Contract

__all__ = ["PREFIX", "body_schemas", "make_router"]

PREFIX = "/api/v1"
JSON = "application/json"
REFUSALS = (400, 413, 415, 422)
REFERENCE = "#/components/schemas/{model}"
PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model=ProblemDetails.__name__)}}}}


def make_router(served: ServedModel, predictor: Predictor, max_rows: int) -> APIRouter:
    """Returns the routes of one served model."""
    router = APIRouter()
    contract = served.model.contract
    health = _health(served)
    document = {**contract.model_dump(mode="json"), "digest": contract.digest}
    schema = {"$ref": REFERENCE.format(model=request_model(contract, max_rows).__name__)}

    @router.get(f"{PREFIX}/health", tags=["service"], summary="Whether the service answers, and with what")
    async def get_health() -> Health:
        return health

    @router.get(f"{PREFIX}/contract", tags=["service"], summary="What the columns are")
    async def get_contract() -> dict[str, Any]:
        return document

    async def predict(request: Request) -> Response:
        _check_media_type(request)
        answer = await run_in_threadpool(predictor.answer, await request.body())
        return Response(answer, media_type=JSON)

    router.add_api_route(
        f"{PREFIX}/predict",
        predict,
        methods=["POST"],
        tags=["prediction"],
        summary=f"Predict {contract.target.name}",
        response_model=answer_model(contract),
        responses=dict.fromkeys(REFUSALS, PROBLEM),
        openapi_extra={"requestBody": {"content": {JSON: {"schema": schema}}, "required": True}},
    )
    # the path of the typed BentoML method, which its clients call
    router.add_api_route("/predict", predict, methods=["POST"], include_in_schema=False)

    @router.get("/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        return Response(generate_latest(predictor.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def body_schemas(contract: Contract, max_rows: int) -> dict[str, Any]:
    """Returns the JSON schemas that the routes refer to, by name: the routes read and write bytes themselves."""
    bodies: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (request_model(contract, max_rows), "validation"),
        (ProblemDetails, "validation"),
    ]
    _, document = models_json_schema(bodies, ref_template=REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    return schemas


def _health(served: ServedModel) -> Health:
    model, card = served.model, served.card
    parity = card.parity if card is not None else None
    return Health(
        model=ModelReference(name=model.name, version=model.version),
        served="compiled" if model.compiled else "original",
        reason=card.reason if card is not None else "",
        parity=ParityCounts.model_validate(parity, from_attributes=True) if parity is not None else None,
    )


def _check_media_type(request: Request) -> None:
    given = request.headers.get("content-type", JSON)
    if given.partition(";")[0].strip().lower() != JSON:
        raise RequestProblem(415, f"the body is {given}; send JSON with the header Content-Type: {JSON}")
