"""From the winner to what is left of a search: evaluation, model folder, summary, report."""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from pathlib import Path, PurePosixPath

from modelyard.config.models import Settings
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.evaluation import HeldOut, evaluate_model
from modelyard.models.manifest import read_manifest
from modelyard.models.model import Model
from modelyard.models.training import Configuration
from modelyard.registry.runs import Run
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally
from modelyard_tuning.finalists import Finalist
from modelyard_tuning.outcome import Outcome
from modelyard_tuning.preparation import Prepared, Table
from modelyard_tuning.report import write_report
from modelyard_tuning.report.page import REPORT
from modelyard_tuning.watch import Watch

__all__ = ["conclude"]

MODEL = "model"
LEARNING_S = 10.0


def conclude(
    run: Run,
    table: Table,
    settings: Settings,
    prepared: Prepared,
    tally: Tally,
    budget: Budget,
    winner: Finalist,
    interrupted: bool,
    watch: Watch,
) -> Outcome:
    """Evaluates the winner on the held-out rows and writes model, summary and report."""
    held_out = _evaluate(prepared, winner, budget)
    run.storage.write("evaluation.json", held_out.to_json())
    card = _card(run, table, settings, prepared, winner, held_out)
    version = _save(run, prepared, winner, card)
    figure = held_out.score
    interval = None
    if figure is not None and figure.low is not None and figure.high is not None:
        interval = (figure.low, figure.high)
    outcome = Outcome(
        run=run.name,
        folder=run.folder,
        task=held_out.task,
        metric=held_out.metric,
        score=figure.value if figure else None,
        interval=interval,
        baselines={baseline.name: baseline.score.value for baseline in held_out.baselines},
        algorithm=card.algorithm,
        params=card.params,
        cross_validation=card.cross_validation,
        trials=tally.ended,
        failed_trials=tally.failed,
        failures=_failures(run),
        seconds=round(budget.spent, 3),
        interrupted=interrupted,
        model=f"{run.folder}/{MODEL}",
        model_name=card.model,
        version=version,
        served=card.served,
        latency_us=winner.latency.median_us,
        report=f"{run.folder}/{REPORT}",
        findings=tuple(one.message for one in table.quality.findings if one.severity != "info"),
    )
    run.write("summary.json", outcome.to_dict() | {"folder": ".", "model": MODEL, "report": REPORT})
    watch.enter("report")
    write_report(run)
    return outcome


def _evaluate(prepared: Prepared, winner: Finalist, budget: Budget) -> HeldOut:
    left = LEARNING_S if budget.left is None else max(0.0, budget.left / 3)
    return evaluate_model(
        Model(prepared.contract, winner.scorer, winner.threshold, compiled=winner.graph is not None),
        prepared.X,
        prepared.y,
        folds=prepared.folds,
        configuration=Configuration(winner.record.algorithm, winner.record.params),
        rounds=winner.rounds,
        threads=-1,
        learning_seconds=min(LEARNING_S, left),
    )


def _card(run: Run, table: Table, settings: Settings, prepared: Prepared, winner: Finalist, held_out: HeldOut) -> Card:
    record, info = winner.record, run.info
    return Card(
        model=settings.model.name or _name(str(settings.data.path)),
        task=held_out.task,
        metric=held_out.metric,
        held_out=held_out.report.figures,
        held_out_rows=held_out.rows,
        predicted=held_out.predicted,
        cross_validation=record.score,
        fold_scores=record.fold_scores,
        baselines={baseline.name: baseline.score for baseline in held_out.baselines},
        served="compiled" if winner.graph is not None else "original",
        reason=winner.problem,
        parity=winner.parity,
        latency=winner.latency,
        threshold=winner.threshold,
        calibration=winner.calibration,
        algorithm=record.algorithm,
        params=record.params,
        rounds=winner.rounds,
        rows=len(prepared.folds.y),
        contract=prepared.contract.digest,
        source=str(settings.data.path),
        source_digest=table.digest,
        config_digest=run.settings_digest,
        run=run.name,
        seed=settings.ml.seed,
        packages=info["versions"],
        created_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        git_revision=info["revision"],
    )


def _save(run: Run, prepared: Prepared, winner: Finalist, card: Card) -> str:
    """Writes the model's folder into the run's and returns its version."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(run.folder, MODEL) if run.storage.local else Path(scratch, MODEL)
        save_model(folder, contract=prepared.contract, card=card, onnx=winner.graph, pipeline=winner.fitted.pipeline)
        if not run.storage.local:
            run.storage.upload(folder, MODEL)
        return read_manifest(folder).version


def _failures(run: Run) -> dict[str, str]:
    failed = (trial.last for trial in run.ledger.trials() if trial.last.state == "failed")
    return {record.algorithm: record.error or "" for record in failed}


def _name(path: str) -> str:
    """A model's name from the table's; a card takes 128 characters."""
    stem = PurePosixPath(path).stem.lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem)[:128].strip("-._") or "model"
