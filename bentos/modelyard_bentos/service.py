"""The BentoML service, typed by the contract of the model that it serves; `modelyard_bentos.packed` says which."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import signal
import sys
import tempfile
from functools import cache
from typing import Any, NoReturn

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.context import server_context
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from modelyard.api.app import build_app
from modelyard.api.lane import Lane
from modelyard.api.models import answer_model, request_model
from modelyard.api.page import PAGE
from modelyard.api.routes import PREFIX
from modelyard.api.serving import Serving
from modelyard.api.source import load_served
from modelyard.errors import ModelyardError
from modelyard.models.artifact import read_contract
from modelyard.monitoring.logs import set_up_logs
from modelyard_bentos.circus import use_private_sockets
from modelyard_bentos.image import ServiceImage
from modelyard_bentos.packed import find_model, read_settings

__all__ = ["service"]

IN_WORKER = server_context.worker_index is not None


def _end(error: ModelyardError) -> NoReturn:
    """Ends the server: a failing worker would be started again for ever while the port hangs."""
    print(error, file=sys.stderr, flush=True)  # before the server ends its workers, this one too
    if IN_WORKER:
        # the server's answer is SIGTERM for its workers, which must not cut into the end of this one
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.kill(os.getppid(), signal.SIGTERM)
    sys.exit(1)


@cache
def _serving() -> Serving:
    """The model at work: only in a process that answers, since the one above the workers needs no copy of it."""
    return Serving(load_served(_folder, _settings), _settings)


@cache
def _app() -> FastAPI:
    return build_app(_serving())


class _Behind(Starlette):
    """Our application, made once it is asked; BentoML looks for a path among its routes before its own."""

    @property
    def routes(self) -> list[BaseRoute]:
        return _app().routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _app()(scope, receive, send)


class _Front:
    """The lane, and behind it our paths before BentoML looks for its own: one shape of errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._lane: Lane | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._lane is None:
            self._lane = Lane(self._choose, **_serving().lane)
        if scope["type"] == "lifespan":
            # a redirect would name the host that the client named
            scope["app"].router.redirect_slashes = False
        await self._lane(scope, receive, send)

    async def _choose(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        ours = path == "/" or path.startswith((f"{PREFIX}/", PAGE))
        await (_app() if ours else self.app)(scope, receive, send)


if not IN_WORKER:
    # the default is one folder for all servers of a user, which each start empties
    _metrics = tempfile.mkdtemp(prefix="modelyard-metrics-")
    atexit.register(shutil.rmtree, _metrics, ignore_errors=True)
    BentoMLContainer.prometheus_multiproc_dir.set(_metrics)
    use_private_sockets()

try:
    _settings = read_settings()
    # it has them where it serves, and not where it builds
    if logging.getLogger("circus").handlers:
        set_up_logs(_settings.serving)
    _folder = find_model(_settings)
    _contract, _name = read_contract(_folder)
    if IN_WORKER:
        _serving().expose_metrics()
        _app()
except ModelyardError as _error:
    _end(_error)


class _Service:
    """Predicts with one model."""

    @bentoml.api(  # type: ignore[untyped-decorator]  # BentoML brings no types
        route="/predict",
        input_spec=request_model(_contract, _settings.serving.max_rows),
        output_spec=answer_model(_contract, ids=_settings.serving.feedback_key_file is not None),
    )
    def predict(self, rows: list[Any], columns: list[str] | None = None, timing: bool = False) -> Any:
        """Predicts rows given by column name, or as lists of values in the order of `columns`.

        For calls inside a process; over HTTP the lane answers.
        """
        return _serving().predictor.answer_document({"rows": rows, "columns": columns, "timing": timing})


service = bentoml.service(
    name=_name,
    image=ServiceImage(model_folder=_folder, settings=_settings),
    labels=dict(_settings.serving.labels),
    workers=_settings.api.workers,
    logging={"access": {"enabled": False}},
    # they have the path of a request as a label, so that any client can make series; the lane serves ours
    metrics={"enabled": False},
)(_Service)
service.mount_asgi_app(_Behind(), path="/", name="modelyard")
service.add_asgi_middleware(_Front)
