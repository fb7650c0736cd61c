"""One served model with everything around it: what FastAPI's application and the bento both put in front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from modelyard.api.endpoints import Answer, Endpoint, Fixed, JsonPrediction, Scrape, refusal
from modelyard.api.feedback import FEEDBACK, FeedbackEndpoint
from modelyard.api.formats import find_formats
from modelyard.api.observation import Observer
from modelyard.api.predict import Predictor
from modelyard.api.prediction_ids import PredictionIds
from modelyard.api.problems import RequestProblem
from modelyard.api.source import ServedModel
from modelyard.api.v2 import v2_endpoints
from modelyard.config.models import Settings
from modelyard.errors import ConfigError
from modelyard.monitoring.access import make_access_log
from modelyard.monitoring.cells import CellMetrics
from modelyard.monitoring.exposition import serve_metrics
from modelyard.monitoring.feedback import FeedbackMetrics
from modelyard.monitoring.metrics import PredictionMetrics
from modelyard.monitoring.tracing import find_tracing

if TYPE_CHECKING:
    from modelyard.monitoring.prediction_log import PredictionLog  # it brings pyarrow

__all__ = ["PREDICT", "Serving"]

# the second is the path of the typed BentoML method, which its clients call
PREDICT = ("/api/v1/predict", "/predict")
LIVE, READY = ("/livez", "/healthz", "/startupz"), ("/readyz",)
TEXT = b"text/plain; charset=utf-8"


class Serving:
    """A model at work.

    Args:
        served: The model.
        settings: Limits, keys and the like.

    Raises:
        ConfigError: The environment asks for traces that there are not.
        ServiceError: They need a package that is not installed.

    Attributes:
        served: The model.
        settings: As given.
        metrics: What is counted.
        predictor: Predicts.
        endpoints: What the lane answers, by path.
        observer: Traces requests and logs them.
    """

    def __init__(self, served: ServedModel, settings: Settings) -> None:
        self.served = served
        self.settings = settings
        model, limits = served.model, settings.serving
        self.metrics = self._metrics()
        self._ids = self._issuer()
        self._log = self._open_log()
        bins = limits.prediction_bins
        self.predictor = Predictor(model, limits.max_rows, self.metrics, bins, self._ids, self._log)
        self.endpoints = dict(self._endpoints())
        tracing = find_tracing(model.name, model.version)
        if tracing is not None:
            self.predictor.score_by(tracing.stopwatch.watch)
            self.metrics.at_flush.append(tracing.flush)
        self.observer = Observer(tracing, make_access_log(limits, model.name, model.version))

    @property
    def lane(self) -> dict[str, Any]:
        """The arguments of the lane."""
        return {
            "endpoints": self.endpoints,
            "metrics": self.metrics,
            "serving": self.settings.serving,
            "observer": self.observer,
            "at_end": self._close,
        }

    def _close(self) -> None:
        """Writes and sends what is left."""
        if self._log is not None:
            self._log.close()
        self.observer.close()

    def expose_metrics(self) -> None:
        """Serves the figures on a port of their own, where the settings name one; once in each process that answers.

        Raises:
            ServiceError: Another program listens there.
        """
        if self.settings.serving.metrics_port is not None:
            serve_metrics(self.metrics, self.settings.serving.metrics_port)

    def _metrics(self) -> PredictionMetrics:
        model, card = self.served.model, self.served.card
        metrics = PredictionMetrics(CollectorRegistry(), model.name, model.version)
        trained_at = card.created_at if card is not None else ""
        capacity = card.capacity if card is not None else None
        best = max((load.requests_per_cpu_s for load in capacity.loads), default=None) if capacity is not None else None
        metrics.describe({"contract_digest": model.contract.digest, "trained_at": trained_at}, best)
        if self.settings.serving.drift:
            predicted = card.predicted if card is not None else ()
            metrics.cells = CellMetrics(metrics.registry, model.contract, predicted)
        return metrics

    def _issuer(self) -> PredictionIds | None:
        path, model = self.settings.serving.feedback_key_file, self.served.model
        if path is None:
            return None
        return PredictionIds(path, model.version, model.contract.target, self.settings.serving.feedback_days)

    def _open_log(self) -> PredictionLog | None:
        settings, model = self.settings.serving.prediction_log, self.served.model
        if settings.url is None:
            return None
        try:
            from modelyard.monitoring.prediction_log import PredictionLog

            log = PredictionLog(settings, model, self.metrics.registry)
        except ImportError as error:
            raise ConfigError(
                "serving.prediction_log.url",
                f"a log needs {error.name or error}",
                hint="install modelyard[log]; of the images serving-sklearn has it",
            ) from None
        return log

    def _feedback(self, ids: PredictionIds) -> FeedbackEndpoint:
        model, card = self.served.model, self.served.card
        target, held_out = model.contract.target, card.held_out if card is not None else {}
        names = self.predictor.answers.classes
        outcomes = FeedbackMetrics(self.metrics.registry, target, names, model.version, held_out)
        route = self.metrics.route(FEEDBACK)
        return FeedbackEndpoint(route, ids, outcomes, target, self.settings.serving.max_rows)

    def _endpoints(self) -> Mapping[str, Endpoint]:
        found: dict[str, Endpoint] = {}
        formats = find_formats(self.predictor, self.settings.serving.max_body_bytes)
        for path in PREDICT:
            found[path] = JsonPrediction(self.metrics.route(path), self.predictor, formats)
        found |= v2_endpoints(self.predictor, self.metrics)
        if self._ids is not None:
            found[FEEDBACK] = self._feedback(self._ids)
        for path, answer in {**dict.fromkeys(LIVE, _alive), **dict.fromkeys(READY, _ready)}.items():
            found[path] = Fixed(self.metrics.route(path), answer)
        route, port = self.metrics.route("/metrics"), self.settings.serving.metrics_port
        if port is None:
            found["/metrics"] = Scrape(route, self.metrics, CONTENT_TYPE_LATEST.encode())
        else:
            elsewhere = RequestProblem(404, f"the figures are on port {port}")
            found["/metrics"] = Fixed(route, lambda _: refusal(elsewhere))
        return found


def _alive(draining: bool) -> Answer:  # noqa: ARG001  # a process that drains must not be restarted
    return Answer(b"ok\n", TEXT)


def _ready(draining: bool) -> Answer:
    return Answer(b"draining\n", TEXT, 503) if draining else Answer(b"ok\n", TEXT)
