"""`modelyard run`: the whole way from a table to an answered prediction of a measured service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from modelyard.cli.capacity import in_short
from modelyard.cli.console import emit, figure
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings
from modelyard.cli.progress import SearchProgress
from modelyard.cli.summary import print_next, print_outcome
from modelyard.cli.tune import Resume, search

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.models.capacity import Capacity

__all__ = ["EXAMPLE", "run"]

EXAMPLE = "modelyard run data.path=adult.csv data.target=income tuning.time_budget_s=60"


def run(
    overrides: Overrides = None, resume: Resume = None, config_dir: ConfigDir = None, as_json: AsJson = False
) -> None:
    """Search, pack the winner, serve it, ask it, measure what it can take, and stop it.

    The winner becomes the champion, which `modelyard serve` then serves.
    """
    settings = load_settings(overrides, config_dir)
    with SearchProgress() as progress:
        outcome = search(settings, resume, progress)
        served, capacity = _serve_once(outcome.model, settings, progress)
    if as_json:
        emit(outcome.to_dict() | served | {"capacity": capacity.model_dump(mode="json")})
        return
    prediction = served["prediction"]
    said = figure(prediction["value"]) if "value" in prediction else str(prediction["label"])
    answer = f"{said} in {served['latency_ms']:.1f} ms, over HTTP"
    print_outcome(outcome, {"bento": served["bento"], "answered": answer, "capacity": in_short(capacity)})
    print_next(
        (
            "modelyard serve",
            f"modelyard show {outcome.run}",
            f"modelyard score {outcome.run} TABLE --output predictions.csv",
        )
    )


def _serve_once(folder: str, settings: Settings, progress: SearchProgress) -> tuple[dict[str, Any], Capacity]:
    from modelyard.models.artifact import load_model, read_card
    from modelyard.registry.models import promote
    from modelyard_bentos.capacity import ALONE, measure_server
    from modelyard_bentos.client import Server
    from modelyard_bentos.packaging import pack

    progress.stage("packing a bento")
    promote(folder, settings)
    packed = pack(folder, settings)
    progress.stage("serving and measuring")
    row = load_model(folder, allow_pickle=settings.model.serve_original).contract.example
    with Server(packed.tag, environment=ALONE) as server:
        server.predict([row])  # the first one pays for what is loaded late
        began = time.perf_counter()
        (prediction,) = server.predict([row])
        latency_ms = 1000 * (time.perf_counter() - began)
        capacity = read_card(packed.model).capacity or measure_server(server, packed.path)
    return {"bento": packed.tag, "prediction": prediction, "latency_ms": latency_ms}, capacity
