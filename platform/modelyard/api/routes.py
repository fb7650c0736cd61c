"""The endpoints that FastAPI answers: what there is to know of a service; the lane answers the others."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard.api.models import Health, ModelDescription, ModelList, ModelReference, ParityCounts
from modelyard.api.source import ServedModel

__all__ = ["PREFIX", "make_router"]

PREFIX = "/api/v1"


def make_router(served: ServedModel) -> APIRouter:
    """Returns the routes of one served model."""
    router = APIRouter(prefix=PREFIX, tags=["service"])
    contract = served.model.contract
    health, models = _health(served), ModelList(models=[_describe(served)])
    document = {**contract.model_dump(mode="json"), "digest": contract.digest}

    @router.get("/health", summary="Whether the service answers, and with what")
    async def get_health() -> Health:
        return health

    @router.get("/models", summary="The models that it holds")
    async def get_models() -> ModelList:
        return models

    @router.get("/contract", summary="What the columns are")
    async def get_contract() -> dict[str, Any]:
        return document

    return router


def _health(served: ServedModel) -> Health:
    model, card = served.model, served.card
    parity = card.parity if card is not None else None
    return Health(
        model=ModelReference(name=model.name, version=model.version),
        served="compiled" if model.compiled else "original",
        reason=card.reason if card is not None else "",
        parity=ParityCounts.model_validate(parity, from_attributes=True) if parity is not None else None,
    )


def _describe(served: ServedModel) -> ModelDescription:
    model, card = served.model, served.card
    target = model.contract.target
    description = ModelDescription(
        name=model.name,
        version=model.version,
        task=target.task,
        target=target.name,
        classes=list(target.classes),
        contract=model.contract.digest,
    )
    if card is None:
        return description
    score = card.held_out.get(card.metric)
    known = {"algorithm": card.algorithm, "metric": card.metric, "created_at": card.created_at}
    return description.model_copy(update={**known, "score": score.value if score is not None else None})
