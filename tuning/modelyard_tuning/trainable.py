"""One trial on a worker: a configuration climbs the ladder and reports at each rung."""

from __future__ import annotations

import datetime as dt
import io
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ray import tune

from modelyard.errors import TrainingError
from modelyard.models.folds import Folds, Rung
from modelyard.models.training import Configuration, Evaluation, evaluate_configuration
from modelyard.plugins.base import TabularTrainer
from modelyard.plugins.registry import register_plugin
from modelyard.registry.storage import Storage

__all__ = ["TrialData", "predictions_file", "run_trial"]


@dataclass(frozen=True)
class TrialData:
    """What every trial of a search needs; it is put into the object store once.

    Attributes:
        folds: Rows and splits.
        rungs: The ladder.
        trainers: Classes that the script of the search may have registered, unknown on a worker.
        folder: The run's folder; out-of-fold predictions are written there, past the driver.
    """

    folds: Folds
    rungs: tuple[Rung, ...]
    trainers: tuple[type[TabularTrainer], ...]
    folder: str


def predictions_file(trial: int) -> str:
    """Returns the name of a complete trial's out-of-fold predictions in the run's folder."""
    return f"predictions/{trial:05d}.npy"


def run_trial(config: dict[str, Any], data: TrialData) -> None:
    """Evaluates one configuration rung by rung; a fit that fails is a result and not tried again.

    Args:
        config: ``number``, ``algorithm``, ``params``, and the ``rung`` to begin at.
        data: Rows, ladder and the like.
    """
    _register(data.trainers)
    configuration = Configuration(config["algorithm"], config["params"])
    before: Evaluation | None = None
    for number in range(config["rung"], len(data.rungs)):
        rung = data.rungs[number]
        started_at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        result: dict[str, Any] = {
            "number": config["number"],
            "rung": number,
            "started_at": started_at,
            "host": socket.gethostname(),
            "error": None,
        }
        taken_over = before if number and data.rungs[number - 1].rows == rung.rows else None
        try:
            evaluation = evaluate_configuration(configuration, data.folds, rung, threads=1, before=taken_over)
        except TrainingError as error:
            tune.report({**result, "error": str(error)})
            return
        except Exception as error:  # whatever a library below or a plugin raises ends this trial only
            tune.report({**result, "error": f"{configuration.algorithm}: {type(error).__name__}: {error}"})
            return
        if number == len(data.rungs) - 1:
            _write_predictions(data.folder, config["number"], evaluation)
        tune.report(
            {
                **result,
                "score": evaluation.score,
                "fold_scores": list(evaluation.fold_scores),
                "rounds": list(evaluation.rounds),
                "cost": evaluation.cost,
                "seconds": evaluation.seconds,
            }
        )
        before = evaluation


def _register(trainers: Sequence[type[TabularTrainer]]) -> None:
    for cls in trainers:
        register_plugin(
            name=cls.name,
            category=cls.category,
            description=cls.description,
            dependencies=cls.dependencies,
            version=cls.version,
        )(cls)


def _write_predictions(folder: str, trial: int, evaluation: Evaluation) -> None:
    buffer = io.BytesIO()
    np.save(buffer, evaluation.predictions, allow_pickle=False)
    Storage(folder).write(predictions_file(trial), buffer.getvalue())
