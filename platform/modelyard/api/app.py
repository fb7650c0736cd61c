"""Application factory: one served model behind FastAPI."""

from __future__ import annotations

import time
from importlib import import_module

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelyard import config
from modelyard.api.lane import Lane
from modelyard.api.live import make_live
from modelyard.api.openapi import complete_openapi
from modelyard.api.page import make_page
from modelyard.api.problems import handle_problems
from modelyard.api.routes import PREFIX, make_router
from modelyard.api.service import ModelService
from modelyard.api.serving import Serving
from modelyard.api.source import ServedModel, find_folder, load_served
from modelyard.config.models import Settings
from modelyard.errors import ConfigError, nearest
from modelyard.models.model import Model
from modelyard.monitoring.metrics import PredictionMetrics

__all__ = ["build_app", "create_app"]

# it stands in front of the lane, makes a second span of every request, and quotes values of those that it refuses
NO_TELEMETRY = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)


def create_app(model: ServedModel | Model | None = None, settings: Settings | None = None) -> FastAPI:
    """Builds the application, with the lane in front.

    Args:
        model: What to serve; none: the folder in MODELYARD_MODEL, or the registry's champion.
        settings: The project's settings; none: those of the working directory.

    Raises:
        ModelError: The model cannot be loaded.
        ConfigError: A router of `api.routers` cannot be found, or the keys cannot be read.
        ServiceError: `serving.metrics_port` is taken.
    """
    settings = settings or config.load_config()
    if model is None:
        model = load_served(find_folder(settings), settings)
    serving = Serving(ServedModel(model) if isinstance(model, Model) else model, settings)
    serving.expose_metrics()
    app = build_app(serving)
    app.add_middleware(Lane, **serving.lane)
    return app


def build_app(serving: Serving) -> FastAPI:
    """Builds the part of an application that stands behind the lane.

    Raises:
        ConfigError: A router of `api.routers` cannot be found.
    """
    model, settings = serving.served.model, serving.settings
    app = FastAPIOffline(
        title=model.name,
        version=model.version or "0",
        description=f"Predicts {model.contract.target.name}.",
        redoc_url=None,
        telemetry=NO_TELEMETRY,
        # a redirect would name the host that the client named
        redirect_slashes=False,
    )
    app.state.model_service = ModelService(settings)
    app.state.model_service.load_model(model.name, model)
    handle_problems(app)
    app.include_router(make_router(serving.served))
    if settings.serving.page:
        app.include_router(make_live(serving.metrics, PREFIX))
        # before routers of one's own: its paths are open without a key
        app.include_router(make_page(settings.serving.max_rows))
    for place, name in enumerate(settings.api.routers):
        app.include_router(_find_router(name, f"api.routers.{place}"))
    app.add_middleware(_Observe, metrics=serving.metrics)
    complete_openapi(app, serving)
    return app


class _Observe:
    """Counts every request by its route's template, so that no caller can invent labels."""

    def __init__(self, app: ASGIApp, metrics: PredictionMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, code = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.route(route).observe(code, time.perf_counter() - start)


def _find_router(name: str, key: str) -> APIRouter:
    module_name, _, attribute = name.partition(":")
    try:
        module = import_module(module_name)
    except (ImportError, ValueError) as error:
        raise ConfigError(key, f"{name!r} cannot be imported: {error}", hint="write package.module:router") from None
    router = getattr(module, attribute or "router", None)
    if not isinstance(router, APIRouter):
        routers = [name for name, value in vars(module).items() if isinstance(value, APIRouter)]
        raise ConfigError(key, f"{module_name} has no APIRouter {attribute!r}", hint=nearest(attribute, routers))
    return router
