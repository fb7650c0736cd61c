"""Parity of every built-in trainer on every table: does the compiled model answer as the fitted one does?

    python bench/parity.py DATA_FOLDER [--tables adult,german] [--trainers lightgbm]

Each trainer is fitted with its defaults and with two points drawn from its space, on the search rows of a table,
compiled, and compared on the held-out rows, at most 10,000 search rows and 10,000 rows drawn from the contract, as a
search does with its finalists. Prints a markdown table and ends with 1 if a model does not compile or a row is beyond
tolerance.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import optuna

from modelyard.config import load_config
from modelyard.config.models import ModelSettings
from modelyard.errors import ConversionFailed
from modelyard.models.compiled import compile_model
from modelyard.models.model import PipelineScorer
from modelyard.models.parity import Parity, check_parity
from modelyard.models.scorer import OnnxScorer
from modelyard.models.training import Configuration, fit_rows
from modelyard.plugins.base import TabularTrainer
from modelyard_tuning.preparation import Prepared, load_table, prepare
from modelyard_tuning.space import make_space
from tables import TABLES, settings_of

TRAINERS = ("linear", "random_forest", "extra_trees", "hist_gradient_boosting", "lightgbm", "xgboost")
DRAWN_POINTS = 2


@dataclass(frozen=True)
class Compared:
    """A trainer's models on one table.

    Attributes:
        models: How many were fitted.
        parities: Of those that compiled.
        refused: Why the others did not.
    """

    models: int
    parities: list[Parity]
    refused: list[str]

    @property
    def passed(self) -> bool:
        """Whether all compiled and agree."""
        return not self.refused and all(parity.passed for parity in self.parities)

    def row(self, table: str, trainer: str) -> str:
        """Returns a line of the markdown table."""
        rows, beyond = (sum(getattr(parity, name) for parity in self.parities) for name in ("rows", "failures"))
        worst = max((parity.worst_difference for parity in self.parities), default=float("nan"))
        compiled = f"{len(self.parities)} of {self.models}"
        return f"| {table} | {trainer} | {compiled} | {rows:,} | {beyond} | {worst:.1e} |"


def points(trainer: str, prepared: Prepared) -> list[Configuration]:
    """Returns the defaults and the drawn points."""
    space = make_space(ModelSettings(model_type=trainer), prepared.folds.shape)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.defaults[trainer], *(space.draw(study.ask()) for _ in range(DRAWN_POINTS))]


def compare(trainer: TabularTrainer, prepared: Prepared) -> Compared:
    """Fits, compiles and compares a trainer's models."""
    shape = prepared.folds.shape
    configurations = points(trainer.name, prepared)
    compared = Compared(len(configurations), [], [])
    for configuration in configurations:
        fitted = fit_rows(trainer, configuration.params, prepared.folds)
        try:
            graph = compile_model(trainer, fitted, shape)
        except ConversionFailed as error:
            compared.refused.append(f"{dict(configuration.params)}: {error}")
            continue
        original = PipelineScorer(fitted.pipeline, shape.classes)
        parity = check_parity(
            original, OnnxScorer(graph), prepared.X, prepared.contract, shape.task, search=prepared.folds.X
        )
        compared.parities.append(parity)
    return compared


def main() -> None:
    """Prints the table as it is made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--trainers", default=",".join(TRAINERS))
    args = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    failed: list[str] = []
    print("| table | trainer | compiled | rows compared | rows beyond tolerance | worst difference |")
    print("|---|---|---|---|---|---|", flush=True)
    for table in args.tables.split(","):
        settings = load_config(overrides={"data": settings_of(table, args.data)})
        prepared = prepare(load_table(settings), settings)
        trainers = make_space(ModelSettings(algorithms=args.trainers.split(",")), prepared.folds.shape).trainers
        for name, trainer in trainers.items():
            compared = compare(trainer, prepared)
            print(compared.row(table, name), flush=True)
            if not compared.passed:
                failed += [f"{table}, {name}: {reason}" for reason in compared.refused or ["rows beyond tolerance"]]
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
