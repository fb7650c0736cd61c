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
from modelyard.data.row_checks import listed_names
from modelyard.errors import ContractViolation, ModelError, ModelNotFound, ModelyardError
from modelyard.models.artifact import load_model
from modelyard.models.inputs import is_series
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
            features: One row (values in the contract's order, a mapping by column, or a series), or many (a sequence
                of rows, a 2-D array or a frame). Mappings must have the contract's columns as keys; only nullable
                columns may be missing.
            model_name: Which model; None is the first that was loaded.
            return_probabilities: Whether to return probabilities too.

        Returns:
            A label or value for each row; probabilities, shape (n, classes), in the order of `Model.classes_`
            (ascending), or None where they were not asked for or the model has none; milliseconds by step.

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
        with_probabilities = return_probabilities and model.contract.target.classes
        probabilities = model.sort_columns(scores).tolist() if with_probabilities else None
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
            model = _load_pickle(path)
        except Exception as error:  # a damaged pickle can raise anything
            raise ModelError(f"{path} cannot be unpickled: {error}") from None
        if not hasattr(model, "predict"):
            raise ModelError(f"{path} holds a {type(model).__name__}, which has no predict")
        return model


def _load_pickle(path: Path) -> Any:
    """Loads a pickle, or what `joblib.dump` wrote: pickles with arrays in between, compressed or not."""
    try:
        import joblib  # scikit-learn brings it, a service of compiled models has none
    except ImportError:
        return pickle.loads(path.read_bytes())
    return joblib.load(path)


def get_model_service(request: Request) -> ModelService:
    """Gives a router of one's own the application's service, by ``Depends(get_model_service)``."""
    service = request.app.state.model_service
    assert isinstance(service, ModelService)
    return service


def _predict_plain(model: Any, rows: Any, with_probabilities: bool) -> Answer:
    """Predicts with an object that has no contract."""
    start = time.perf_counter()
    if isinstance(rows, list):
        rows = np.asarray(_values(model, rows) if any(isinstance(row, Mapping) for row in rows) else rows)
    predictions = np.asarray(model.predict(rows)).tolist()
    probabilities = None
    if with_probabilities and hasattr(model, "predict_proba"):
        probabilities = np.asarray(model.predict_proba(rows)).tolist()
    seconds = time.perf_counter() - start
    return predictions, probabilities, {"predict_ms": seconds * 1000, "total_ms": seconds * 1000}


def _values(model: Any, rows: Sequence[Any]) -> list[list[Any]]:
    """Returns the values of mappings in the order of the columns that the model was fitted with, or of the first row.

    Raises:
        ContractViolation: A row has other keys.
    """
    first = next(row for row in rows if isinstance(row, Mapping))
    names = list(getattr(model, "feature_names_in_", first))
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping) or row.keys() != set(names):
            raise ContractViolation([f"row {number}: a mapping with these keys is expected: {listed_names(names)}"])
    return [[row[name] for name in names] for row in rows]


def _rows(features: Any) -> Any:
    """Puts a single row into a list or frame; frames, arrays and lists of rows pass."""
    if is_series(features):
        return features.to_frame().T
    if isinstance(features, Mapping):
        return [features]
    if isinstance(features, np.ndarray):
        return features.reshape(1, -1) if features.ndim == 1 else features
    if hasattr(features, "columns") or not isinstance(features, Sequence):
        return features
    first = features[0] if features else None
    many = isinstance(first, Sequence | Mapping | np.ndarray) and not isinstance(first, str)
    return list(features) if many else [features]
