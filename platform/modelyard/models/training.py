"""Training: the one trial function, and the thin doors onto it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from modelyard.config.manager import load_config
from modelyard.config.models import MlSettings, Settings
from modelyard.data import processing
from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.inference import infer_contract
from modelyard.data.pairs import infer_pair
from modelyard.data.scale import TargetScale
from modelyard.data.target import check_task, encode_target
from modelyard.errors import ModelyardError, TrainingError, UsageError
from modelyard.models.folds import Folds, Rung, make_folds
from modelyard.models.metrics import get_metric
from modelyard.models.model import Model, PipelineScorer
from modelyard.plugins.base import Fitted, TableShape, TabularTrainer
from modelyard.plugins.registry import get_trainer
from modelyard.plugins.standardization import fit_standardized, trainer_part
from modelyard.utils.sentences import first_line
from modelyard.utils.types import Task

__all__ = [
    "Configuration",
    "Evaluation",
    "TuningResults",
    "evaluate_configuration",
    "fit_rows",
    "hyperparameter_tuning",
    "train_model",
]

INNER_SHARE = 0.15


@dataclass(frozen=True)
class Configuration:
    """What one trial tries.

    Attributes:
        algorithm: The trainer's registered name.
        params: Its parameters.
    """

    algorithm: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """What a configuration came to on one rung.

    Attributes:
        score: Mean over the folds, in the metric's own direction.
        fold_scores: By split.
        predictions: Out-of-fold probabilities (repeats, n, classes) or values (repeats, n), each of a single fit; NaN
            in rows that no split of this rung validates. float64 where `TargetScale` says so, else float32.
        rounds: Boosting rounds by split; empty where the trainer does not stop early.
        cost: Elementary steps of one prediction, the mean over the splits.
        seconds: Seconds of wall time this rung took, without what was taken over.
    """

    score: float
    fold_scores: tuple[float, ...]
    predictions: NDArray[np.floating]
    rounds: tuple[int, ...]
    cost: float
    seconds: float


def evaluate_configuration(
    config: Configuration, folds: Folds, rung: Rung, *, threads: int = 1, before: Evaluation | None = None
) -> Evaluation:
    """Fits and scores a configuration on the splits of one rung: the one trial function.

    Args:
        config: Algorithm and parameters.
        folds: Rows and splits.
        rung: Which share of the rows, and how many splits.
        threads: How many a fit may use.
        before: An evaluation of the same configuration on fewer splits with the same share of rows; its
            splits are taken over instead of fitted again.

    Raises:
        TrainingError: The fit failed or gave no finite score.
    """
    start = time.perf_counter()
    trainer, metric = get_trainer(config.algorithm), get_metric(folds.metric, folds.shape.task)
    width = (len(folds.y), folds.shape.classes) if folds.shape.classes else (len(folds.y),)
    dtype = np.dtype(np.float32) if folds.shape.classes else TargetScale.of(folds.y).dtype
    predictions = np.full((folds.repeats, *width), np.nan, dtype)
    scores: list[float] = []
    rounds: list[int] = []
    costs: list[float] = []
    done = 0
    if before is not None:
        done = len(before.fold_scores)
        scores, rounds, costs = list(before.fold_scores), list(before.rounds), [before.cost] * done
        predictions = before.predictions.copy()
    per_repetition = len(folds.splits) // folds.repeats
    for number in range(done, rung.folds):
        train, valid = folds.splits[number]
        rows = train[: max(1, round(len(train) * rung.rows))]
        fitted = fit_rows(trainer, config.params, folds, rows, threads=threads)
        predicted = PipelineScorer(fitted.pipeline, folds.shape.classes)(folds.X[valid])
        score = metric(folds.y[valid], predicted)
        if not np.isfinite(score):
            raise TrainingError(f"{config.algorithm} gave no finite {metric.name} on split {number + 1}")
        predictions[number // per_repetition, valid] = predicted
        scores.append(score)
        costs.append(trainer.cost(trainer_part(fitted), folds.shape))
        if fitted.rounds is not None:
            rounds.append(fitted.rounds)
    return Evaluation(
        float(np.mean(scores)),
        tuple(scores),
        predictions,
        tuple(rounds),
        float(np.mean(costs)),
        time.perf_counter() - start,
    )


def fit_rows(
    trainer: TabularTrainer,
    params: Mapping[str, Any],
    folds: Folds,
    rows: NDArray[np.int64] | None = None,
    *,
    threads: int = 1,
    rounds: int | None = None,
) -> Fitted:
    """Fits on some rows of the folds, or all; stops early on an inner split unless `rounds` says how many.

    The trainer sees a standardized regression target; the returned pipeline predicts in the target's own unit.

    Raises:
        TrainingError: The library below refused; names the trainer and its reason.
    """
    X, y = (folds.X, folds.y) if rows is None else (folds.X[rows], folds.y[rows])
    validation = None
    if trainer.stops_early and rounds is None:
        X, held_X, y, held_y = _inner_split(X, y, folds.shape, folds.seed)
        validation = (held_X, held_y)
    try:
        return fit_standardized(
            trainer,
            params,
            X,
            y,
            shape=folds.shape,
            validation=validation,
            seed=folds.seed,
            threads=threads,
            rounds=rounds,
        )
    except ModelyardError:
        raise
    except Exception as error:  # each library raises what it likes
        raise TrainingError(f"{trainer.name} could not be fitted: {first_line(error)}") from error


def _inner_split(X: Any, y: Any, shape: TableShape, seed: int) -> list[Any]:
    stratify = None
    if shape.classes:
        counts = np.unique(y, return_counts=True)[1]
        # scikit-learn wants two rows of each class, and room for one of each on either side
        stratify = y if counts.min() > 1 and INNER_SHARE * len(y) >= len(counts) else None
    return list(train_test_split(X, y, test_size=INNER_SHARE, random_state=seed, stratify=stratify))


def train_model(
    data: pd.DataFrame, config: Settings | Mapping[str, Any] | None = None, *, task: Task | None = None
) -> Model:
    """Trains one model, without a search, on a table that holds the target.

    Args:
        data: The table.
        config: Settings or overrides; ``model.model_type`` (auto: the first algorithm) and ``model.params``. The
            keys of `engineer_features` may stand among the overrides: one mapping then serves both.
        task: Kind of prediction; None takes ``data.task``, which infers it from the target by default.

    Returns:
        A model with ``predict`` and ``predict_proba`` for frames like `data`.

    Raises:
        ColumnNotFound: The target is not there.
        TrainingError: The fit failed.
        UsageError: The task is unknown.
    """
    settings = config if isinstance(config, Settings) else _settings(config or {})
    chosen_task = settings.data.task if task is None else check_task(task)
    contract = infer_contract(data, settings.data.model_copy(update={"task": chosen_task}))
    algorithm = settings.model.model_type
    chosen = settings.model.algorithms[0] if algorithm == "auto" else algorithm
    folds = _folds_of(data, contract, settings.ml, settings.ml.metric)
    trainer = get_trainer(chosen)
    params = {**trainer.defaults(folds.shape), **settings.model.params}
    rounds = fit_rows(trainer, params, folds, threads=-1).rounds
    return _model(fit_rows(trainer, params, folds, threads=-1, rounds=rounds), contract)


def _settings(config: Mapping[str, Any]) -> Settings:
    """Settings from overrides; of the keys of `engineer_features` only the target matters once features are made."""
    overrides = {key: value for key, value in config.items() if key not in processing.DEFAULTS}
    if (target := config.get("target_column")) is not None:
        overrides["data"] = {**overrides.get("data", {}), "target": target}
    return load_config(overrides=overrides)


@dataclass(frozen=True)
class TuningResults:
    """What a grid came to.

    Attributes:
        best_params: Parameters of the best point.
        best_score: Its mean score over the folds.
        metric: Name of the metric.
        trials: Every point with its score, in the grid's order.
    """

    best_params: dict[str, Any]
    best_score: float
    metric: str
    trials: tuple[tuple[dict[str, Any], float], ...]


def hyperparameter_tuning(
    X: Any,
    y: Any,
    *,
    model_type: str = "random_forest",
    param_grid: Mapping[str, Sequence[Any]],
    metric: str = "auto",
    folds: int = 5,
    seed: int = 0,
    task: Task | None = None,
) -> tuple[Model, TuningResults]:
    """Tries every point of a grid by cross-validation, in process, and fits the best one on all rows.

    Args:
        X: Frame, or array of numbers, shape (n, columns); the model predicts rows of the same columns.
        y: Labels or values, shape (n,).
        model_type: The trainer's registered name.
        param_grid: Values to try by parameter, each a list or an array.
        metric: Name of the metric; auto is the task's default.
        folds: Folds of the cross-validation, 2 to 20.
        seed: Seed of the folds and fits.
        task: Kind of prediction; None infers it from `y`.

    Returns:
        The fitted model and the results.

    Raises:
        PluginNotFound: No such trainer.
        TrainingError: A point could not be fitted.
        UsageError: X and y do not fit each other, a parameter has no list of values, or the number of folds or the task
            is not possible.

    Example:
        >>> X, y = [[float(number)] for number in range(20)], ["low"] * 10 + ["high"] * 10
        >>> model, results = hyperparameter_tuning(X, y, model_type="linear", param_grid={"C": [0.1, 1.0]}, folds=2)
        >>> model.predict([[2.0], [17.0]]).tolist()
        ['low', 'high']
    """
    grid = _checked_grid(param_grid)
    if not isinstance(folds, int) or not 2 <= folds <= 20:
        raise UsageError(f"folds={folds!r}: a cross-validation takes 2 to 20 folds; 5 is the default")
    frame, contract = infer_pair(X, y, task)
    made = _folds_of(frame, contract, MlSettings(folds=folds, repeats=1, seed=seed), metric)
    trainer = get_trainer(model_type)
    rung, judge = Rung(1.0, folds), get_metric(made.metric, made.shape.task)
    tried: list[tuple[dict[str, Any], Evaluation]] = []
    for values in product(*grid.values()):
        params = {**trainer.defaults(made.shape), **dict(zip(grid, values, strict=True))}
        tried.append((params, evaluate_configuration(Configuration(model_type, params), made, rung, threads=-1)))
    params, best = max(tried, key=lambda pair: judge.utility(pair[1].score))
    rounds = int(np.median(best.rounds)) if best.rounds else None
    fitted = fit_rows(trainer, params, made, threads=-1, rounds=rounds)
    results = TuningResults(params, best.score, judge.name, tuple((p, e.score) for p, e in tried))
    return _model(fitted, contract), results


def _folds_of(frame: pd.DataFrame, contract: Contract, ml: MlSettings, metric: str) -> Folds:
    encoder = Encoder(contract)
    frame = frame[frame[contract.target.name].notna()]
    task, classes = contract.target.task, len(contract.target.classes)
    named = get_metric(metric, task).name
    y = encode_target(frame, contract)
    return make_folds(encoder.encode(frame), y, encoder.features, task, classes, ml, named)


def _model(fitted: Fitted, contract: Contract) -> Model:
    return Model(contract, PipelineScorer(fitted.pipeline, len(contract.target.classes)), fitted=fitted)


def _checked_grid(grid: Mapping[str, Any]) -> dict[str, list[Any]]:
    if not isinstance(grid, Mapping):
        raise UsageError(f"param_grid is a {type(grid).__name__}; pass a mapping of parameter to a list of values")
    checked: dict[str, list[Any]] = {}
    for name, values in grid.items():
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            shown = repr(values)[:40]
            raise UsageError(f"param_grid[{name!r}] is {shown}; pass a list of values to try, such as [{shown}]")
        checked[name] = list(values)
        if not checked[name]:
            raise UsageError(f"param_grid[{name!r}] has no values; give at least one, or leave it out")
    return checked
