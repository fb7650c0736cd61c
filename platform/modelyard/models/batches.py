"""Answers for many rows as columns, which have the same names in a frame, a file and an Arrow stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelyard.models.model import Scores
from modelyard.utils.types import Label

__all__ = ["CHUNK_ROWS", "PREDICTION", "answer_columns", "chunks", "probability_column"]

PREDICTION = "prediction"
# rows scored at a time: keeps a forest's working memory small and is past what a graph gains from a batch
CHUNK_ROWS = 50_000


def probability_column(label: object) -> str:
    """Returns the name of a class's probability column."""
    return f"probability_{label}"


def answer_columns(classes: Iterable[Label], scores: Scores, decided: Any) -> Mapping[str, Any]:
    """Returns the columns of an answer.

    Args:
        classes: Labels in the order of the columns of `scores`; none for values.
        scores: Probabilities (n, classes) or values (n,).
        decided: Labels or values, n of them.
    """
    probabilities = {probability_column(label): scores[:, place] for place, label in enumerate(classes)}
    return {PREDICTION: decided, **probabilities}


def chunks(rows: int, size: int = CHUNK_ROWS) -> Iterator[slice]:
    """Returns which rows to score at a time."""
    return (slice(start, start + size) for start in range(0, rows, size))
