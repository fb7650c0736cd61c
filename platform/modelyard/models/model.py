"""A model as its users see it: rows in, labels, probabilities or values out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.scale import TargetScale
from modelyard.models.inputs import encode_rows
from modelyard.plugins.standardization import StandardizedRegressor
from modelyard.plugins.threads import limited_threads, loaded_pools
from modelyard.utils.sentences import shown_value
from modelyard.utils.types import Label

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["Model", "PipelineScorer", "Scorer", "align"]

MAX_SHOWN_CLASSES = 10

Scores = NDArray[np.floating]
Scorer = Callable[[NDArray[np.float32]], Scores]


class _ClassifierMethod:
    """Method that is absent from a regression, like one under scikit-learn's `available_if`."""

    def __init__(self, method: Callable[[Any, Any], Scores]) -> None:
        self._method = method
        update_wrapper(self, method)  # type: ignore[arg-type]

    def __get__(self, model: Model | None, owner: type[Model]) -> Callable[..., Scores]:
        if model is None:
            return self._method
        model.require_classes(self._method.__name__)
        return MethodType(self._method, model)


@dataclass(repr=False)
class Model:
    """Contract, encoding and scorer in one, with the interface of a fitted scikit-learn estimator.

    Rows may be

    - a frame, or a mapping of column name to a sequence of values: further columns are ignored;
    - a pandas series: one row of a frame, by column; further entries are ignored;
    - a mapping of column name to a single value, or a sequence of such mappings: one row each. A key that is no
      column of the contract is refused, and so is a row without a column, unless the column is nullable;
    - a 2-D array or a sequence of sequences: values of the contract's columns, in its order.

    Attributes:
        contract: What the rows are.
        scorer: Encoded rows to scores in the contract's order of classes: probabilities (n, classes) or values
            (n,); compiled or original.
        threshold: Binary models answer the positive class above it.
        name: Name of the model.
        version: Version of the model: the digest of its manifest.
        compiled: Whether the scorer is the compiled graph.
        fitted: The fitted pipeline, where it is at hand.
        dtype: Type in which its scores are logged and sent: float64 for values that float32 is too coarse for, else
            float32.

    Example:
        >>> model = load_model("models/people")  # doctest: +SKIP
        >>> roc_auc_score(y, model.predict_proba(frame)[:, 1])  # doctest: +SKIP
    """

    contract: Contract
    scorer: Scorer
    threshold: float = 0.5
    name: str = "model"
    version: str = ""
    compiled: bool = False
    fitted: Any = None
    encoder: Encoder = field(init=False)
    dtype: np.dtype[Any] = field(init=False)

    def __post_init__(self) -> None:
        self.encoder = Encoder(self.contract)
        self.dtype = getattr(self.scorer, "dtype", np.dtype(np.float32))

    def __repr__(self) -> str:
        target = self.contract.target
        classes = f", classes={_listed(target.classes)}" if target.classes else ""
        return (
            f"Model(name={self.name!r}, version={self.version!r}, task={target.task!r}, target={target.name!r}, "
            f"columns={len(self.contract.columns)}{classes}, compiled={self.compiled})"
        )

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in ascending order, shape (classes,): the order of the columns of `predict_proba`.

        The contract has its own order, (negative, positive) for two classes, which the scorer keeps.

        Raises:
            AttributeError: The model predicts values, as for a regressor of scikit-learn.
        """
        self.require_classes("classes_")
        return _labels(tuple(self.contract.target.classes[place] for place in self._places))

    def encode(self, rows: Any) -> NDArray[np.float32]:
        """Encodes rows.

        Args:
            rows: One row or many, in any form that the class names.

        Returns:
            A matrix of shape (n, len(encoder.features)).

        Raises:
            ContractViolation: A column or key is missing or unknown, a row has another width, or a value is of
                another kind; names the row.
        """
        return encode_rows(self.encoder, rows)

    @_ClassifierMethod
    def predict_proba(self, rows: Any) -> Scores:
        """Returns probabilities, shape (n, classes), in the order of `classes_`.

        Args:
            rows: One row or many, in any form that the class names.

        Raises:
            AttributeError: The model predicts values; the attribute is absent, as for a regressor of scikit-learn.
            ContractViolation: The rows do not fit the contract.
        """
        return self.sort_columns(self.scorer(self.encode(rows)))

    def predict(self, rows: Any) -> NDArray[Any]:
        """Returns labels as in the training table, or values, shape (n,).

        Args:
            rows: One row or many, in any form that the class names; none give an empty array.

        Raises:
            ContractViolation: The rows do not fit the contract.
        """
        return self.decide(self.scorer(self.encode(rows)))

    def sort_columns(self, scores: Scores) -> Scores:
        """Puts the columns of the scorer's probabilities, which have the contract's order, into that of `classes_`."""
        places = self._places
        return scores if places == sorted(places) else scores[:, places]

    @cached_property
    def _places(self) -> list[int]:
        """Place of each of `classes_` in the contract."""
        classes = self.contract.target.classes
        # labels of a contract may be of several types; numbers, booleans among them, go before texts
        return sorted(range(len(classes)), key=lambda place: (isinstance(classes[place], str), classes[place]))

    def require_classes(self, attribute: str) -> None:
        """Raises an AttributeError that names the attribute, unless the model predicts classes."""
        if not self.contract.target.classes:
            raise AttributeError(
                f"{self.name!r} is a regression, which has no {attribute}; use predict, which returns values"
            )

    def decide(self, scores: Scores) -> NDArray[Any]:
        """Turns scores into labels; values stay what they are."""
        classes = self.contract.target.classes
        return _labels(classes)[self.codes(scores)] if classes else scores

    def codes(self, scores: NDArray[np.floating]) -> NDArray[np.int64]:
        """Turns probabilities, shape (n, classes), into codes of classes, shape (n,)."""
        binary = len(self.contract.target.classes) == 2
        return (scores[:, 1] > self.threshold if binary else scores.argmax(axis=1)).astype(np.int64)


@dataclass(frozen=True)
class PipelineScorer:
    """Scores with the fitted pipeline itself, on one thread.

    Scikit-learn's boosting waits for its threads at every tree, which where cores are busy takes many times longer.

    Attributes:
        pipeline: Has ``predict``, and ``predict_proba`` for classification.
        classes: Number of classes; 0 for regression.
    """

    pipeline: Any
    classes: int

    @property
    def scale(self) -> TargetScale | None:
        """Scale of the standardized target; None for classes, and for pipelines that were fitted on the target."""
        return self.pipeline.scale if isinstance(self.pipeline, StandardizedRegressor) else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that the values need, as `OnnxScorer.dtype`."""
        return np.dtype(np.float32) if self.scale is None else self.scale.dtype

    def __call__(self, matrix: NDArray[np.float32]) -> Scores:
        """Returns probabilities (n, classes) or values (n,), float64.

        Args:
            matrix: Encoded rows, float32, shape (n, features).
        """
        if not len(matrix):  # scikit-learn refuses it
            return np.empty((0, self.classes) if self.classes else 0)
        with limited_threads(1, self._pools):
            if not self.classes:
                return np.asarray(self.pipeline.predict(matrix), dtype=np.float64).ravel()
            return align(self.pipeline.predict_proba(matrix), self.pipeline.classes_, self.classes)

    def __getstate__(self) -> dict[str, Any]:
        # the pools that were found are of this process
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def _pools(self) -> ThreadpoolController:
        return loaded_pools()


def align(probabilities: Scores, seen: NDArray[Any], classes: int) -> Scores:
    """Widens the probabilities of a fit that did not see every class; unseen ones get 0."""
    if probabilities.shape[1] == classes:
        return np.asarray(probabilities, dtype=np.float64)
    wide = np.zeros((len(probabilities), classes))
    wide[:, np.asarray(seen, dtype=np.int64)] = probabilities
    return wide


def _listed(classes: tuple[Label, ...]) -> str:
    shown = ", ".join(map(shown_value, classes[:MAX_SHOWN_CLASSES]))
    more = f", ... {len(classes) - MAX_SHOWN_CLASSES} more" if len(classes) > MAX_SHOWN_CLASSES else ""
    return f"[{shown}{more}]"


def _labels(classes: tuple[Label, ...]) -> NDArray[Any]:
    """An array of the labels in their own type; mixed ones stay objects."""
    kinds = {type(label) for label in classes}
    return np.array(classes) if len(kinds) == 1 else np.array(classes, dtype=object)
