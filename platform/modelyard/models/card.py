"""The card: what a person or a service may want to know of a model before they trust it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from modelyard.models.calibration import Calibration
from modelyard.models.capacity import Capacity
from modelyard.models.documents import Document
from modelyard.models.figures import Figure
from modelyard.models.latency import Latency
from modelyard.models.parity import Parity
from modelyard.utils.names import PLAIN_NAME
from modelyard.utils.types import Task

__all__ = ["Card"]


class Card(Document):
    """What is known of a model.

    Attributes:
        format: Version of this description.
        model: Name of the model; it names folders, tags and images.
        task: What kind of prediction.
        metric: The metric that the search went by.
        held_out: Figures on rows that neither search nor fit has seen, with intervals.
        held_out_rows: Number of these rows.
        cross_validation: Mean score of the winner over the folds of the search.
        fold_scores: By fold.
        predicted: Share of the predictions on these rows by class, or by bin of the target.
        baselines: Scores of simple models on the held-out rows.
        served: Whether the compiled graph or the original pipeline is served.
        reason: Why, where it is the original.
        parity: How the two compare; none where the original could not be compiled.
        latency: Of one row; none where it was not measured.
        threshold: Binary models answer the positive class above it.
        calibration: What is done to the probabilities before the threshold; none: nothing.
        algorithm: The trainer's name.
        params: Its parameters.
        rounds: Boosting rounds; none for trainers that have none.
        rows: Number of rows that the model was fitted on.
        contract: Digest of the contract.
        source: Where the training table came from.
        source_digest: SHA-256 of the training table.
        config_digest: SHA-256 of the settings that the run was made with.
        run: Name of the run.
        seed: Seed of splits, draws and fits.
        packages: Versions by package.
        created_at: ISO 8601 in UTC.
        git_revision: Commit of the project; none outside of git.
        capacity: What a service of the model can take, from a file of its own (`models.capacity`): the model is the
            same where it was never measured.
    """

    title = "card"

    format: Literal[1] = 1
    model: str = Field(pattern=PLAIN_NAME)
    task: Task
    metric: str
    held_out: dict[str, Figure] = Field(default_factory=dict)
    held_out_rows: int = 0
    cross_validation: float | None = None
    fold_scores: tuple[float, ...] = ()
    predicted: tuple[float, ...] = ()
    baselines: dict[str, Figure] = Field(default_factory=dict)
    served: Literal["compiled", "original"] = "compiled"
    reason: str = ""
    parity: Parity | None = None
    latency: Latency | None = None
    threshold: float = 0.5
    calibration: Calibration | None = None
    algorithm: str
    params: dict[str, Any] = Field(default_factory=dict)
    rounds: int | None = None
    rows: int = 0
    contract: str
    source: str = ""
    source_digest: str = ""
    config_digest: str = ""
    run: str = ""
    seed: int = 0
    packages: dict[str, str] = Field(default_factory=dict)
    created_at: str = ""
    git_revision: str | None = None
    capacity: Capacity | None = Field(None, exclude=True)
