"""Scores to the JSON of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat, starmap
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.api.models import class_text
from modelyard.api.typed import nameable
from modelyard.models.model import Model

__all__ = ["NO_IDS", "AnswerEncoder", "Id"]

# bytes are written as base64
Id = bytes | msgspec.UnsetType
NO_IDS: Iterable[Id] = repeat(msgspec.UNSET)


class AnswerEncoder:
    """Writes the answers of one model.

    Args:
        model: Its classes, name and version.

    Attributes:
        classes: The text of each class, as it names its probability.
    """

    def __init__(self, model: Model) -> None:
        labels = model.contract.target.classes
        self.classes = tuple(class_text(label) for label in labels)
        self._labels = labels
        self._threshold = float(np.float32(model.threshold))
        names = {f"class_{code}": text for code, text in enumerate(self.classes)}
        if all(map(nameable, self.classes)):
            self._probabilities: Callable[..., Any] = msgspec.defstruct(
                "Probabilities", [(name, float) for name in names], rename=names, gc=False
            )
        else:
            self._probabilities = lambda *row: dict(zip(self.classes, row, strict=True))
        reference = msgspec.Raw(msgspec.json.encode({"name": model.name, "version": model.version}))
        self._reference = reference
        self._encode = msgspec.json.Encoder().encode

    def code(self, scores: list[float]) -> int:
        """Returns the code of one row's class; 0 where values are predicted."""
        return int(scores[1] > self._threshold) if len(scores) == 2 else scores.index(max(scores))

    def one(self, scores: list[float], code: int, identity: Id = msgspec.UNSET) -> bytes:
        """Returns the answer for one row."""
        if not self._labels:
            return self._encode(_Answer([_Value(scores[0], identity)], self._reference))
        prediction = _Prediction(self._labels[code], self._probabilities(*scores), identity)
        return self._encode(_Answer([prediction], self._reference))

    def many(
        self,
        scores: NDArray[np.floating],
        decided: list[Any],
        timing: dict[str, float] | None = None,
        ids: Iterable[Id] = NO_IDS,
    ) -> bytes:
        """Returns the answer for rows.

        Args:
            scores: Probabilities (n, classes) or values (n,).
            decided: Labels or values, n of them.
            timing: Milliseconds by step, where they were asked for.
            ids: Of the predictions, n of them at least.
        """
        predictions: list[Any]
        if self._labels:
            predictions = list(map(_Prediction, decided, starmap(self._probabilities, scores.tolist()), ids))
        else:
            predictions = list(map(_Value, decided, ids))
        return self._encode(_Answer(predictions, self._reference, timing or msgspec.UNSET))


class _Value(msgspec.Struct, gc=False):
    value: float
    id: Id


class _Prediction(msgspec.Struct, gc=False):
    label: Any
    probabilities: Any
    id: Id


class _Answer(msgspec.Struct, gc=False):
    predictions: list[Any]
    model: msgspec.Raw
    timing: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
