"""The ledger: one small record for every finished rung, the truth of a search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from modelyard.errors import RunError
from modelyard.registry.storage import Storage

__all__ = ["Ledger", "Record", "State", "Trial", "trials_of"]

State = Literal["running", "stopped", "complete", "failed"]
Tuple = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
FOLDER = "ledger"


class Record(BaseModel):
    """What one finished rung of one trial came to.

    Attributes:
        trial: The trial's number, from 0.
        rung: Which rung of the ladder, from 0; of a failure, the one it failed on.
        state: What became of the trial after this rung: goes on, was stopped, is complete, has failed.
        algorithm: The trainer's name.
        params: Its parameters.
        score: Mean over the rung's folds, in the metric's own direction; None where it failed.
        fold_scores: By fold.
        rounds: Boosting rounds by fold, where early stopping chose them.
        cost_us: Estimated microseconds of one prediction.
        seconds: Seconds this rung took.
        started_at: When the rung began, ISO 8601 in UTC.
        host: Name of the machine or pod that it ran on.
        error: One sentence, where it failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    trial: int
    rung: int
    state: State
    algorithm: str
    params: dict[str, Any]
    score: float | None = None
    fold_scores: Annotated[tuple[float, ...], Tuple] = ()
    rounds: Annotated[tuple[int, ...], Tuple] = ()
    cost_us: float | None = None
    seconds: float = 0.0
    started_at: str = ""
    host: str = ""
    error: str | None = None


@dataclass(frozen=True)
class Trial:
    """A trial as its records tell it.

    Attributes:
        number: Its number, from 0.
        records: Its finished rungs in ascending order, at least one.
    """

    number: int
    records: tuple[Record, ...]

    @property
    def last(self) -> Record:
        """The highest rung it finished: its state and score are the trial's."""
        return self.records[-1]

    @property
    def seconds(self) -> float:
        """Seconds that all its rungs took."""
        return sum(record.seconds for record in self.records)


class Ledger:
    """The records of one run, one file each, never changed after they were written.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Storage) -> None:
        self._folder = folder

    def append(self, record: Record) -> bool:
        """Writes a record, and returns whether it was new.

        A trial that is tried again after its worker died repeats rungs; the first record stays.
        """
        name = f"{FOLDER}/{record.trial:05d}-{record.rung}.json"
        return self._folder.create(name, record.model_dump_json() + "\n")

    def records(self) -> list[Record]:
        """Returns every record, by trial and rung in ascending order.

        Raises:
            RunError: A file of the ledger is no record.
        """
        records: list[Record] = []
        for name, content in self._folder.read_all(FOLDER).items():
            try:
                records.append(Record.model_validate_json(content))
            except ValidationError as error:
                where = f"{self._folder.url}/{FOLDER}/{name}"
                raise RunError(f"{where} is not a record of a ledger: {error.errors()[0]['msg']}; remove it") from None
        return sorted(records, key=lambda record: (record.trial, record.rung))

    def trials(self) -> list[Trial]:
        """Returns every trial, by number in ascending order."""
        return trials_of(self.records())


def trials_of(records: Iterable[Record]) -> list[Trial]:
    """Gathers the records of each trial, by number in ascending order."""
    grouped: dict[int, list[Record]] = {}
    for record in sorted(records, key=lambda record: (record.trial, record.rung)):
        grouped.setdefault(record.trial, []).append(record)
    return [Trial(number, tuple(grouped[number])) for number in grouped]
