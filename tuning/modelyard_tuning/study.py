"""The search itself: Ray Tune runs the trials that the study draws and the rungs let through."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from ray import tune

from modelyard.config.models import Settings
from modelyard.models.folds import Folds, ladder
from modelyard.registry.runs import Run
from modelyard_tuning.budget import Budget
from modelyard_tuning.callbacks import LedgerWriter, SearchStopper, Tally
from modelyard_tuning.goal import Goal
from modelyard_tuning.rungs import Rungs, RungScheduler
from modelyard_tuning.search import StudySearcher
from modelyard_tuning.space import SearchSpace
from modelyard_tuning.trainable import TrialData, run_trial

__all__ = ["Search", "make_study", "run_search"]

# a worker that died, by another's memory for example, is not the configuration's fault
RETRIES = 2


@dataclass(frozen=True)
class Search:
    """Everything that a search needs.

    Attributes:
        run: Where the ledger is.
        settings: Budget, seed and the like.
        folds: Rows and splits.
        space: What may be drawn.
        goal: What is looked for.
        budget: The clock.
        tally: Counts, those of an earlier part included.
        slots: Trials at the same time.
        interrupted: Set by Ctrl-C.
        check: Raises where this process may not write the run any more.
        tell: Is called when something happened.
    """

    run: Run
    settings: Settings
    folds: Folds
    space: SearchSpace
    goal: Goal
    budget: Budget
    tally: Tally
    slots: int
    interrupted: threading.Event
    check: Callable[[], None]
    tell: Callable[[], None]


def run_search(search: Search, scratch: Path) -> None:
    """Runs trials until the budget is used or a person interrupts; the ledger holds what they came to.

    Args:
        search: What to search.
        scratch: A folder for Ray's own state.
    """
    tuning, trials = search.settings.tuning, search.run.ledger.trials()
    study = make_study(search.folds.seed, search.goal.maximize, tuning.startup_trials)
    searcher = StudySearcher(study, search.space, search.goal, tuning.trials, tuning.deterministic)
    searcher.refeed(trials)
    rungs = Rungs(tuning.deterministic)
    for trial in trials:
        for record in trial.records:
            if record.score is not None:
                rungs.record(trial.number, record.rung, search.goal.utility(record.score))
    writer = LedgerWriter(search.run.ledger, search.goal, search.tally, search.tell)
    data = TrialData(
        search.folds,
        ladder(len(search.folds.y), len(search.folds.splits)),
        tuple(type(trainer) for trainer in search.space.trainers.values()),
        search.run.folder,
    )
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(run_trial, data=data), {"cpu": 1}),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=searcher,
            scheduler=RungScheduler(rungs, search.goal),
            max_concurrent_trials=search.slots,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(scratch),
            verbose=0,
            stop=SearchStopper(search.budget, search.tally, writer, search.interrupted, search.check),
            callbacks=[writer],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        ),
    )
    tuner.fit()
    search.tally.running = 0


def make_study(seed: int, maximize: bool, startup_trials: int) -> optuna.Study:
    """Returns an empty study whose sampler learns each algorithm's parameters together."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, n_startup_trials=startup_trials)
    return optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler)
