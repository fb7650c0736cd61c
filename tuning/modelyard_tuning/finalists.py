"""The best trials, refitted on all search rows, compiled, compared and measured one by one: only these can win."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.config.models import Settings
from modelyard.errors import ConversionFailed, ModelyardError, TrainingError
from modelyard.models.calibration import CalibratedScorer, Calibration, tuned_threshold
from modelyard.models.compiled import compile_model
from modelyard.models.decisions import balanced_accuracy
from modelyard.models.latency import Latency, measure
from modelyard.models.metrics import get_metric
from modelyard.models.model import PipelineScorer, Scorer
from modelyard.models.parity import Parity, check_parity
from modelyard.models.scorer import OnnxScorer
from modelyard.models.training import fit_rows
from modelyard.plugins.base import Fitted, TabularTrainer
from modelyard.registry.ledger import Record
from modelyard.registry.runs import Run
from modelyard_tuning.budget import Budget
from modelyard_tuning.goal import Goal
from modelyard_tuning.preparation import Prepared
from modelyard_tuning.trainable import predictions_file

__all__ = ["Finalist", "choose_winner"]

logger = logging.getLogger(__name__)

# best at a threshold that predicts one class alone, or nearly so
ONE_SIDED = ("precision", "recall")


@dataclass(frozen=True)
class Finalist:
    """A trial as it would be served.

    Attributes:
        record: Its last rung.
        fitted: Fitted on all search rows.
        rounds: Boosting rounds it was fitted with: the median of the folds.
        calibration: What is done to its probabilities.
        threshold: Binary models answer the positive class above it.
        graph: The compiled model; None where the original is to be served.
        scorer: What is served.
        parity: How compiled and original compare; None where it cannot be compiled.
        latency: Of one row.
        problem: Why the compiled model cannot be served, if so.
    """

    record: Record
    fitted: Fitted
    rounds: int | None
    calibration: Calibration | None
    threshold: float
    graph: bytes | None
    scorer: Scorer
    parity: Parity | None
    latency: Latency
    problem: str


@dataclass(frozen=True)
class _Bench:
    """What every finalist is measured with."""

    run: Run
    settings: Settings
    prepared: Prepared


def choose_winner(
    complete: Sequence[Record],
    run: Run,
    settings: Settings,
    prepared: Prepared,
    goal: Goal,
    budget: Budget,
    interrupted: threading.Event,
    trainers: dict[str, TabularTrainer],
) -> Finalist:
    """Takes the finalists from the best score on and returns the first that may be served.

    Raises:
        ConversionFailed: None has a correct compiled form, and the original may not be served.
        TrainingError: None is fast enough, or none could be refitted.
    """
    bench = _Bench(run, settings, prepared)
    limit_us = settings.tuning.max_latency_ms * 1000.0
    ranked = sorted(complete, key=lambda record: _rank(record, goal, limit_us))[: settings.tuning.finalists]
    refused: list[Finalist] = []
    reasons: list[str] = []
    for number, record in enumerate(ranked):
        if number and _over(budget, interrupted) and any(_may_serve(one, settings, limit_us) for one in refused):
            break
        try:
            finalist = _finish(record, trainers[record.algorithm], bench)
        except TrainingError as error:
            reasons.append(str(error))
            continue
        if not finalist.problem and finalist.latency.median_us <= limit_us:
            return finalist
        logger.info("trial %d does not win: %s", record.trial, finalist.problem or "too slow")
        refused.append(finalist)
    allowed = [one for one in refused if _may_serve(one, settings, limit_us)]
    if allowed:
        return allowed[0]
    raise _no_winner(refused, reasons, settings)


def _rank(record: Record, goal: Goal, limit_us: float) -> tuple[bool, float]:
    """By score; those that are predicted to be too slow come last."""
    if record.score is None:
        return True, np.inf
    return (record.cost_us or 0.0) > limit_us, -goal.utility(record.score)


def _over(budget: Budget, interrupted: threading.Event) -> bool:
    return interrupted.is_set() or (budget.left is not None and budget.left <= 0)


def _may_serve(finalist: Finalist, settings: Settings, limit_us: float) -> bool:
    if finalist.problem and not settings.model.serve_original:
        return False
    return finalist.latency.median_us <= limit_us


def _finish(record: Record, trainer: TabularTrainer, bench: _Bench) -> Finalist:
    folds, prepared, settings = bench.prepared.folds, bench.prepared, bench.settings
    rounds = int(np.median(record.rounds)) if record.rounds else None
    fitted = fit_rows(trainer, record.params, folds, threads=-1, rounds=rounds)
    calibration, threshold = _decisions(record, bench)
    original: Scorer = PipelineScorer(fitted.pipeline, folds.shape.classes)
    if calibration is not None:
        original = CalibratedScorer(original, calibration)
    graph: bytes | None = None
    parity: Parity | None = None
    problem = ""
    scorer: Scorer = original
    try:
        graph = compile_model(trainer, fitted, folds.shape, calibration)
        compiled = OnnxScorer(graph)
        parity = check_parity(
            original,
            compiled,
            prepared.X,
            prepared.contract,
            folds.shape.task,
            search=folds.X,
            seed=settings.ml.seed,
        )
        if parity.passed:
            scorer = compiled
        else:
            graph, problem = None, _difference(parity)
    except ConversionFailed as error:
        problem = str(error)
    latency = measure(scorer, prepared.X)
    return Finalist(record, fitted, rounds, calibration, threshold, graph, scorer, parity, latency, problem)


def _decisions(record: Record, bench: _Bench) -> tuple[Calibration | None, float]:
    """Calibration and threshold, from predictions of rows that the fits did not see.

    Predictions of all repetitions are stacked and not averaged: one fit is served, and a mean of several is closer to
    the middle than its probabilities are.
    """
    settings, folds = bench.settings.model, bench.prepared.folds
    wanted = settings.threshold == "tuned" and folds.shape.task == "binary"
    if not folds.shape.classes or not (settings.calibrate or wanted):
        return None, 0.5
    content = bench.run.storage.read(predictions_file(record.trial))
    predictions: NDArray[np.floating] = np.load(io.BytesIO(content), allow_pickle=False)
    predictions = predictions.reshape(-1, folds.shape.classes)
    y = np.tile(folds.y.astype(np.int64), folds.repeats)
    calibration = None
    if settings.calibrate:
        calibration = Calibration.fit(y, predictions)
        predictions = calibration.apply(predictions)
    if not wanted:
        return calibration, 0.5
    metric = get_metric(folds.metric, folds.shape.task)
    decision = metric.decision if metric.name not in ONE_SIDED else None
    return calibration, tuned_threshold(y, predictions[:, 1], decision or balanced_accuracy)


def _difference(parity: Parity) -> str:
    return (
        f"the compiled model differs from its original in {parity.failures} of {parity.rows} rows, "
        f"by up to {parity.worst_difference:.2g}"
    )


def _no_winner(refused: Sequence[Finalist], reasons: Sequence[str], settings: Settings) -> ModelyardError:
    if not refused:
        return TrainingError(f"no trial could be fitted again on all rows: {reasons[-1]}")
    if all(one.problem for one in refused) and not settings.model.serve_original:
        first = refused[0]
        advice = "set model.serve_original=true to serve the original"
        return ConversionFailed(first.record.algorithm, f"{first.problem}; {advice}")
    fastest = min(one.latency.median_us for one in refused) / 1000.0
    return TrainingError(
        f"no model answers within tuning.max_latency_ms={settings.tuning.max_latency_ms:g}: the fastest of "
        f"{len(refused)} takes {fastest:.2f} ms; raise it, or choose smaller models with model.algorithms"
    )
