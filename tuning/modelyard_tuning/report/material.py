"""What a report is made of: everything that a run's folder holds, the parts that are not there as None."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from modelyard.data.contract import Contract
from modelyard.data.quality import QualityReport
from modelyard.errors import RunError
from modelyard.models.card import Card
from modelyard.models.evaluation import HeldOut
from modelyard.models.metrics import Metric, get_metric
from modelyard.registry.ledger import Record, Trial
from modelyard.registry.runs import Run
from modelyard.utils.documents import parse_json

__all__ = ["Material", "gather"]

T = TypeVar("T")

# below this many trials, a rung's scores are noise to an importance or a parallel plot
ENOUGH = 8


@dataclass(frozen=True)
class Material:
    """What is known of a run.

    Attributes:
        name: The run's name.
        info: Its ``run.json``.
        summary: Its ``summary.json``; empty while it runs.
        quality: Its ``quality.json``; none where the table was not checked.
        contract: What the rows are; none where the run ended before.
        metric: The metric of its search.
        trials: Its trials, by number.
        held_out: Its ``evaluation.json``; none without a winner.
        card: The card of its model; none without one.
    """

    name: str
    info: dict[str, Any]
    summary: dict[str, Any]
    quality: QualityReport | None
    contract: Contract | None
    metric: Metric
    trials: list[Trial]
    held_out: HeldOut | None
    card: Card | None

    @property
    def ended(self) -> list[Trial]:
        """The trials that count: what the end of the search interrupted came to nothing."""
        return [trial for trial in self.trials if trial.last.state != "running"]

    @property
    def last_rung(self) -> int:
        """The ladder's last rung, as far as the trials tell."""
        return max((trial.last.rung for trial in self.trials), default=0)

    def at(self, rung: int) -> list[Record]:
        """Returns the scored records of one rung: only these can be compared with each other."""
        records = (record for trial in self.trials for record in trial.records)
        return [record for record in records if record.rung == rung and record.score is not None]

    def comparable(self, algorithm: str) -> tuple[int, list[Record]]:
        """Returns the highest rung that enough trials of an algorithm reached, and their records there."""
        by_rung = {
            rung: [record for record in self.at(rung) if record.algorithm == algorithm]
            for rung in range(self.last_rung, -1, -1)
        }
        enough = (rung for rung, records in by_rung.items() if len(records) >= ENOUGH)
        rung = next(enough, max(by_rung, key=lambda number: len(by_rung[number])))
        return rung, by_rung[rung]

    def rung_text(self, rung: int) -> str:
        """Says what a rung of the ladder is."""
        texts = ("all rows, all folds", "all rows, one fold", "a quarter of the rows, one fold")
        return texts[min(self.last_rung - rung, len(texts) - 1)]

    @property
    def winner(self) -> Record | None:
        """The trial that won."""
        card = self.card
        if card is None:
            return None
        complete = [trial.last for trial in self.trials if trial.last.state == "complete"]
        same = (one for one in complete if one.algorithm == card.algorithm and one.params == card.params)
        return next(same, None)


def gather(run: Run) -> Material:
    """Reads a run's folder.

    Raises:
        RunError: A file of it cannot be read.
    """
    contract = _optional(run, "contract.json", Contract.from_json)
    held_out = _optional(run, "evaluation.json", HeldOut.from_json)
    task = contract.target.task if contract is not None else "binary"
    metric = get_metric(held_out.metric if held_out is not None else run.settings.ml.metric, task)
    return Material(
        run.name,
        run.info,
        _optional(run, "summary.json", _mapping) or {},
        _optional(run, "quality.json", QualityReport.model_validate_json),
        contract,
        metric,
        run.ledger.trials(),
        held_out,
        _optional(run, "model/card.json", Card.from_json),
    )


def _optional(run: Run, name: str, read: Callable[[bytes], T]) -> T | None:
    try:
        content = run.storage.read(name)
    except FileNotFoundError:
        return None
    try:
        return read(content)
    except ValueError as error:
        raise RunError(f"{run.folder}/{name} cannot be read: {error}") from None


def _mapping(content: bytes) -> dict[str, Any]:
    document: dict[str, Any] = parse_json(content)
    return document
