"""Models by name, for code of one's own and for routers of one's own."""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import Request

from modelyard.config.models import Settings
from modelyard.errors import ModelError, ModelNotFound, ModelyardError
from modelyard.models.artifact import load_model
from modelyard.models.model import Model

if TYPE_CHECKING:
    from modelyard.config.manager import ConfigManager  # it brings Hydra, which a served bento does without

__all__ = ["ModelService", "Timing", "get_model_service"]

logger = logging.getLogger(__name__)

Timing = dict[str, float]
Answer = tuple[list[Any], list[list[float]] | None, Timing]


class ModelService:
    """Holds models by name and predicts with them.

    Args:
        config_manager: The project's configuration, or its settings; none: the defaults.
        allow_pickle: Whether a model may come from a pickle, which can run any code when it is loaded; none:
            what `model.serve_original` says.

    Attributes:
        models: Model by name, in the order of loading.
    """

    def __init__(
        self, config_manager: ConfigManager | Settings | None = None, *, allow_pickle: bool | None = None
    ) -> None:
        given = config_manager or Settings()
        self.settings = given if isinstance(given, Settings) else given.settings
        self.allow_pickle = self.settings.model.serve_original if allow_pickle is None else allow_pickle
        self.models: dict[str, Any] = {}

    def load_model(self, name: str, model: str | os.PathLike[str] | Any) -> bool:
        """Loads a model under a name; a failure is logged in one sentence.

        Args:
            name: What to call it; a model of that name is replaced.
            model: A model's folder, a pickle file where that is allowed, a `Model`, or anything with ``predict``.

        Returns:
            Whether it was loaded.
        """
        try:
            self.models[name] = self._load(model)
        except (ModelyardError, OSError) as error:
            logger.error("model %r was not loaded: %s", name, error)
            return False
        return True

    def predict(
        self,
        features: Any,
        model_name: str | None = None,
        return_probabilities: bool = False,
    ) -> Answer:
        """Predicts one row or many.

        Args:
            features: One row (values in the contract's order, or by column), or many (a sequence of rows, a 2-D
                array or a frame).
            model_name: Which model; none: the first that was loaded.
            return_probabilities: Whether to return probabilities too.

        Returns:
            A label or value for each row; probabilities, shape (n, classes), in the order of the contract's
            classes, or none where they were not asked for or the model has none; milliseconds by step.

        Raises:
            ModelNotFound: No model has this name.
            ContractViolation: The rows do not fit the model's contract.
        """
        model = self._find(model_name)
        rows = _rows(features)
        start = time.perf_counter()
        if not isinstance(model, Model):
            return _predict_plain(model, rows, return_probabilities)
        matrix = model.encode(rows)
        encoded = time.perf_counter()
        scores = model.scorer(matrix)
        predictions = model.decide(scores).tolist()
        end = time.perf_counter()
        probabilities = scores.tolist() if return_probabilities and model.contract.target.classes else None
        timing = {"encode_ms": encoded - start, "predict_ms": end - encoded, "total_ms": end - start}
        return predictions, probabilities, {step: seconds * 1000 for step, seconds in timing.items()}

    def _find(self, name: str | None) -> Any:
        if name is None and self.models:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise ModelNotFound(name or "", self.models)
        return self.models[name]

    def _load(self, model: Any) -> Any:
        if not isinstance(model, str | os.PathLike):
            if not hasattr(model, "predict"):
                raise ModelError(f"a {type(model).__name__} is no model: it has no predict")
            return model
        path = Path(model)
        if path.is_dir():
            return load_model(path, allow_pickle=self.allow_pickle)
        if not path.is_file():
            raise ModelError(f"{path} is neither a model's folder nor a file")
        return self._unpickle(path)

    def _unpickle(self, path: Path) -> Any:
        if not self.allow_pickle:
            raise ModelError(
                f"{path} is a pickle, which can run any code when it is loaded; "
                "pass allow_pickle=True where you made it yourself"
            )
        logger.warning("loading the pickle %s: it can run any code on this machine", path)
        try:
            model = pickle.loads(path.read_bytes())
        except Exception as error:  # a damaged pickle can raise anything
            raise ModelError(f"{path} cannot be unpickled: {error}") from None
        if not hasattr(model, "predict"):
            raise ModelError(f"{path} holds a {type(model).__name__}, which has no predict")
        return model


def get_model_service(request: Request) -> ModelService:
    """Gives a router of one's own the application's service, by ``Depends(get_model_service)``."""
    service = request.app.state.model_service
    assert isinstance(service, ModelService)
    return service


def _predict_plain(model: Any, rows: Any, with_probabilities: bool) -> Answer:
    """Predicts with an object that has no contract: columns are taken in the order they come in."""
    start = time.perf_counter()
    if isinstance(rows, list):
        rows = np.asarray([list(row.values()) if isinstance(row, Mapping) else row for row in rows])
    predictions = np.asarray(model.predict(rows)).tolist()
    probabilities = None
    if with_probabilities and hasattr(model, "predict_proba"):
        probabilities = np.asarray(model.predict_proba(rows)).tolist()
    seconds = time.perf_counter() - start
    return predictions, probabilities, {"predict_ms": seconds * 1000, "total_ms": seconds * 1000}


def _rows(features: Any) -> Any:
    """Puts a single row into a list; frames, arrays and lists of rows pass."""
    if isinstance(features, Mapping):
        return [features]
    if isinstance(features, np.ndarray):
        return features.reshape(1, -1) if features.ndim == 1 else features
    if hasattr(features, "columns") or not isinstance(features, Sequence):
        return features
    first = features[0] if features else None
    many = isinstance(first, Sequence | Mapping | np.ndarray) and not isinstance(first, str)
    return list(features) if many else [features]
