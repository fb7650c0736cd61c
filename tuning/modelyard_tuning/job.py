"""One command's worth of work: a table in, a run with a winning model out."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import ray
from prometheus_client import CollectorRegistry

from modelyard.config.models import Settings
from modelyard.errors import ModelyardError, RunError, RunLocked, TrainingError
from modelyard.models.folds import ladder
from modelyard.models.latency import CostModel, calibrate
from modelyard.models.metrics import get_metric
from modelyard.monitoring.exposition import metrics_served
from modelyard.registry.lease import Lease
from modelyard.registry.ledger import Trial
from modelyard.registry.runs import Run, create_run, installed_versions, run_label
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import Tally
from modelyard_tuning.cluster import ray_cluster
from modelyard_tuning.conclusion import conclude
from modelyard_tuning.finalists import choose_winner
from modelyard_tuning.goal import Goal
from modelyard_tuning.interrupt import interruptible
from modelyard_tuning.metrics import SearchMetrics
from modelyard_tuning.outcome import Outcome
from modelyard_tuning.preparation import Prepared, Table, load_table, prepare
from modelyard_tuning.progress import Listener
from modelyard_tuning.space import SearchSpace, make_space
from modelyard_tuning.study import Search, run_search
from modelyard_tuning.watch import Watch

__all__ = ["tune"]


def tune(settings: Settings, progress: Listener | None = None, resume: Run | None = None) -> Outcome:
    """Searches, and makes a model of the winner.

    Ctrl-C ends the search, and the work goes on with the best trial so far; a second one ends it all.

    Args:
        settings: What to do. With `resume`, only its budget, slots and port count; the rest is the run's own.
        progress: Is told where the search stands.
        resume: A run to continue, with its budget minus what it has spent.

    Raises:
        ConfigError: The settings contradict the table.
        DataError: The table cannot be used.
        RunLocked: Another process writes the run.
        ServiceError: ``tuning.metrics_port`` is taken.
        TrainingError: No trial was complete, or no model may be served.
        ConversionFailed: No model has a correct compiled form.
    """
    if resume is not None:
        settings = _continued(settings, resume.settings)
    budget = Budget(settings.tuning.time_budget_s, resume.info["spent_s"] if resume else 0.0)
    watch = Watch(budget, settings.tuning.trials, progress)
    figures = CollectorRegistry()
    served = metrics_served(figures, settings.tuning.metrics_port, "tuning.metrics_port")
    with interruptible() as interrupted, served:
        watch.enter("loading")
        # a table that cannot be used leaves no new run behind
        loaded = None if resume else load_table(settings)
        run = resume or create_run(settings, run_label(settings))
        with Lease(run.storage, run.name) as lease, _recorded(run, budget):
            watch.follow_run(run)
            table = loaded or load_table(settings)
            _describe(run, table, settings)
            prepared, space, goal, tally = _search(run, table, settings, watch, lease, interrupted, figures)
            watch.enter("finalists")
            winner = choose_winner(
                tally.complete, run, settings, prepared, goal, budget, interrupted, dict(space.trainers)
            )
            watch.enter("evaluation")
            return conclude(run, table, settings, prepared, tally, budget, winner, interrupted.is_set(), watch)


def _continued(settings: Settings, before: Settings) -> Settings:
    """Scores of a ledger can only be compared where rows, folds and metric are the same."""
    chosen = settings.tuning.model_dump(include={"time_budget_s", "trials", "slots", "address", "metrics_port"})
    kept = before.model_dump()
    return Settings.model_validate({**kept, "tuning": {**kept["tuning"], **chosen}})


@contextlib.contextmanager
def _recorded(run: Run, budget: Budget) -> Iterator[None]:
    """Writes how the run ended, whatever happens."""
    run.update(state="running", error=None, permanent=False, versions=installed_versions())
    try:
        yield
    except RunLocked:
        raise  # the run is another's now
    except BaseException as error:
        # Ray answers SIGTERM with SystemExit
        state = "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"
        text = str(error) if isinstance(error, ModelyardError) else f"{type(error).__name__}: {error}"
        permanent = isinstance(error, ModelyardError) and not error.transient
        run.update(state=state, spent_s=budget.spent, error=text, permanent=permanent)
        raise
    run.update(state="complete", spent_s=budget.spent)


def _describe(run: Run, table: Table, settings: Settings) -> None:
    known = run.info["data"].get("digest")
    if known not in (None, table.digest):
        raise RunError(f"run {run.name} searched another table than {settings.data.path} holds now; start a new run")
    rows, columns = table.frame.shape
    run.update(data={"source": settings.data.path, "digest": table.digest, "rows": rows, "columns": columns})
    run.storage.write("quality.json", table.quality.to_json())


def _check_folds(run: Run, prepared: Prepared) -> None:
    """Rejects a resumed run whose trials were scored on other folds, by an earlier version for example."""
    digest = prepared.folds.digest
    if run.info.get("folds") != digest and run.ledger.trials():
        raise RunError(
            f"run {run.name} cannot be resumed: its trials were scored on other folds than this version makes of the "
            "table; start a new run"
        )
    run.update(folds=digest)


def _search(
    run: Run,
    table: Table,
    settings: Settings,
    watch: Watch,
    lease: Lease,
    interrupted: threading.Event,
    figures: CollectorRegistry,
) -> tuple[Prepared, SearchSpace, Goal, Tally]:
    with ThreadPoolExecutor(1) as pool:
        # Ray takes seconds to start, most of them waiting; it must be started by this thread, which stays
        preparing = pool.submit(_prepare, table, settings)
        with ray_cluster(settings.tuning.address, settings.tuning.slots or _cores()) as scratch:
            prepared, space, goal = preparing.result()
            _check_folds(run, prepared)
            run.storage.write("contract.json", prepared.contract.to_json())
            tally = Tally(goal, run.ledger.trials())
            watch.follow(tally, prepared.folds.metric)
            limit, metric = settings.tuning.trials, prepared.folds.metric
            figures.register(SearchMetrics(run.name, metric, list(space.trainers), limit, tally, watch.budget))
            watch.budget.begin()
            watch.enter("search")
            slots = settings.tuning.slots or int(ray.cluster_resources()["CPU"])
            search = Search(
                run,
                settings,
                prepared.folds,
                space,
                goal,
                watch.budget,
                tally,
                slots,
                interrupted,
                lease.check,
                watch.tell,
            )
            run_search(search, scratch)
    if not tally.complete:
        raise _nothing_found(run.ledger.trials(), interrupted.is_set())
    return prepared, space, goal, tally


def _prepare(table: Table, settings: Settings) -> tuple[Prepared, SearchSpace, Goal]:
    prepared = prepare(table, settings)
    folds = prepared.folds
    space = make_space(settings.model, folds.shape)
    metric = get_metric(folds.metric, folds.shape.task)
    last = len(ladder(len(folds.y), len(folds.splits))) - 1
    # a measured cost would differ from run to run
    cost = CostModel() if settings.tuning.deterministic else calibrate()
    return prepared, space, Goal(metric.greater_is_better, last, cost, settings.tuning.max_latency_ms * 1000.0)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _nothing_found(trials: list[Trial], interrupted: bool) -> TrainingError:
    failed = [trial.last for trial in trials if trial.last.state == "failed"]
    if failed:
        reason, times = Counter(record.error for record in failed).most_common(1)[0]
        return TrainingError(
            f"no trial was complete: {len(failed)} of {len(trials)} failed, {times} of them because {reason}"
        )
    if interrupted:
        return TrainingError("the search was interrupted before a trial was complete; give it more time")
    return TrainingError("the search ended before a trial was complete; raise tuning.trials or tuning.time_budget_s")
