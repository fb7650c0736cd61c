"""`/schema.json`, where BentoML's own clients read which methods a service has."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard.api.models import answer_model, request_model
from modelyard.config.models import ServingSettings
from modelyard.data.contract import Contract

__all__ = ["make_schema"]


def make_schema(name: str, contract: Contract, serving: ServingSettings) -> APIRouter:
    """Returns the route of one served model; the method is the one that `bentoml serve` offers.

    Args:
        name: The service's name.
        contract: What the rows are.
        serving: Limits of a request, and whether predictions have an id.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/schema.json")
    def get_schema() -> dict[str, Any]:
        predict = {
            "name": "predict",
            "route": "/predict",
            "batchable": False,
            "is_task": False,
            "input": request_model(contract, serving.max_rows).model_json_schema(),
            "output": answer_model(contract, ids=serving.feedback_key_file is not None).model_json_schema(),
        }
        return {"name": name, "type": "service", "routes": [predict]}

    return router
