"""What a component is, and what a trainer of tables adds to it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from modelyard.data.encoding import Feature
from modelyard.errors import ModelyardError, PluginError
from modelyard.plugins.space import Params, Space
from modelyard.utils.sentences import first_line
from modelyard.utils.types import Task

__all__ = [
    "Component",
    "ComponentResult",
    "ComponentStatus",
    "ExecutionContext",
    "Fitted",
    "ModelTrainer",
    "TableShape",
    "TabularTrainer",
]

Matrix = NDArray[np.float32]
Labels = NDArray[Any]


class ComponentStatus(StrEnum):
    """How a component's execution ended."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass
class ExecutionContext:
    """What a component is given.

    Attributes:
        input_data: What it works on; trainers take a pair ``(X, y)``.
        config: Parameters by name.
        metadata: Whatever the caller wants to hand on.
    """

    input_data: Any = None
    config: Mapping[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class ComponentResult:
    """What a component answers.

    Attributes:
        status: How it ended.
        component_name: The plugin's registered name.
        execution_time: Seconds of wall time.
        output_data: What it made, by name.
        metrics: Figures by name.
        error: One sentence, where it failed.
    """

    status: ComponentStatus
    component_name: str
    execution_time: float = 0.0
    output_data: Any = None
    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None


class Component(ABC):
    """A plugin: `register_plugin` sets the class attributes."""

    name: ClassVar[str] = ""
    category: ClassVar[str] = ""
    description: ClassVar[str] = ""
    dependencies: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[str] = "0"

    @abstractmethod
    def execute(self, context: ExecutionContext) -> ComponentResult:
        """Does the component's work; expected failures are a result with status FAILED."""


class ModelTrainer(Component):
    """A component that trains a model, in whatever way it likes."""


@dataclass(frozen=True)
class TableShape:
    """What a trainer may know of the table before it sees rows.

    Attributes:
        task: What kind of prediction.
        classes: Number of classes; 0 for regression.
        features: What each column of the matrix is.
        rows: Number of rows that a fit will see, about.
    """

    task: Task
    classes: int
    features: tuple[Feature, ...]
    rows: int


@dataclass
class Fitted:
    """A fitted pipeline.

    Attributes:
        pipeline: Has ``predict`` (regression: shape (n,)) or ``predict_proba`` (shape (n, classes), the
            columns in the order of ``classes_``), on the encoded matrix.
        rounds: How many boosting rounds it took, where early stopping chose them.
    """

    pipeline: Any
    rounds: int | None = None


class TabularTrainer(ModelTrainer):
    """A trainer that a search can use: it declares its space, its pipeline and its compiler.

    Labels are class codes 0..classes-1 (int64) or float64 values. Values are standardized before a fit, to mean 0 and
    standard deviation 1, and restored in what is served. Nulls are NaN; categories are codes, of which 0 is null and 1
    unknown. Arrays may be read-only.

    Attributes:
        tasks: What it can predict.
        extra: Extra of modelyard that brings its dependencies.
    """

    tasks: ClassVar[frozenset[Task]] = frozenset({"binary", "multiclass", "regression"})
    extra: ClassVar[str] = ""

    @abstractmethod
    def space(self, shape: TableShape) -> Space:
        """Returns the parameters that a search may draw; names are those of the estimator."""

    @abstractmethod
    def defaults(self, shape: TableShape) -> dict[str, Any]:
        """Returns a sound configuration: the search's first trial, a point of `space`."""

    @abstractmethod
    def fit(
        self,
        params: Params,
        X: Matrix,
        y: Labels,
        *,
        shape: TableShape,
        seed: int = 0,
        threads: int = 1,
        validation: tuple[Matrix, Labels] | None = None,
        rounds: int | None = None,
    ) -> Fitted:
        """Fits the whole pipeline, preprocessing included.

        Args:
            params: A point of the space, or any parameters of the estimator.
            X: Encoded rows, shape (n, len(shape.features)).
            y: Labels, shape (n,).
            shape: What the columns are.
            seed: Makes the fit repeatable.
            threads: How many it may use.
            validation: Rows to stop early on; ignored by trainers that do not.
            rounds: Boosting rounds to take instead of stopping early.

        Raises:
            Exception: Whatever the library below raises; its caller makes a sentence of it.
        """

    @abstractmethod
    def convert(self, fitted: Fitted, shape: TableShape) -> bytes:
        """Returns the pipeline as a serialized ONNX model.

        Its one input ``X`` is float32 of shape (n, len(shape.features)); its one output is ``probabilities``
        of shape (n, classes) or ``value`` of shape (n, 1), float32.

        Raises:
            ConversionFailed: This pipeline has no ONNX form.
        """

    @abstractmethod
    def cost(self, fitted: Fitted, shape: TableShape) -> float:
        """Returns how many elementary steps one prediction takes: nodes visited, products added up."""

    @property
    def stops_early(self) -> bool:
        """Whether `fit` uses `validation` to choose its rounds."""
        return False

    def execute(self, context: ExecutionContext) -> ComponentResult:
        """Fits on ``context.input_data``: a pair of rows, shape (n, columns), and their labels or values, shape (n,).

        Rows are a frame, an array or a sequence; columns may be numbers, texts, booleans or datetimes.
        ``context.config`` may hold ``task`` (defaults to what the labels suggest), ``params`` and ``seed``. The output
        is the fitted ``model``, whose ``predict`` takes rows of the same columns and returns labels or values, and its
        ``classes``. Data or parameters that cannot be fitted give a result with status FAILED.

        Raises:
            PluginError: The trainer cannot be used.
        """
        from modelyard.plugins.pairs import fit_pair  # needs this module, and pandas, which a search's worker need not

        start = time.perf_counter()
        result = ComponentResult(ComponentStatus.SUCCESS, self.name)
        try:
            X, y = context.input_data
            result.output_data, result.metrics = fit_pair(self, X, y, context.config)
        except PluginError:
            raise
        except ModelyardError as error:
            result.status, result.error = ComponentStatus.FAILED, str(error)
        except Exception as error:  # each library raises what it likes
            result.status, result.error = ComponentStatus.FAILED, f"{type(error).__name__}: {first_line(error)}"
        result.execution_time = time.perf_counter() - start
        return result
