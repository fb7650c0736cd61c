"""The conformance suite: whether a trainer keeps what `TabularTrainer` promises to a search.

An author runs it in a test of their own:

    from modelyard.plugins.testing import check_trainer

    def test_conformance():
        check_trainer("my_trainer")
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from modelyard.data.encoding import FIRST_CODE, UNKNOWN_CODE, Feature
from modelyard.data.scale import TargetScale
from modelyard.plugins.base import Fitted, Labels, Matrix, TableShape, TabularTrainer
from modelyard.plugins.registry import get_trainer
from modelyard.plugins.space import Choice, Distribution, Float, Int, Params, Space, Value
from modelyard.plugins.threads import limited_threads
from modelyard.utils.types import Task

__all__ = ["ConformanceError", "check_trainer"]

ROWS = 240
POINTS = 2
TOLERANCE = 1e-5
CLASSES: dict[Task, int] = {"binary": 2, "multiclass": 3, "regression": 0}
FEATURES = (
    Feature("number", "number", "number"),
    Feature("with_nulls", "with_nulls", "number"),
    Feature("large", "large", "number"),
    Feature("constant", "constant", "number"),
    Feature("category", "category", "category", FIRST_CODE + 6),
)


class ConformanceError(AssertionError):
    """A trainer breaks a rule; the text names the trainer, the task, the rule and what was found."""


@dataclass(frozen=True)
class _Case:
    """A trainer on a small table of one task, its arrays read-only as in a search."""

    trainer: TabularTrainer
    shape: TableShape
    X: Matrix
    y: Labels
    unseen: Matrix

    def require(self, holds: bool | np.bool_, rule: str, found: str = "") -> None:
        if not holds:
            where = f"{self.trainer.name or type(self.trainer).__name__}, {self.shape.task}"
            raise ConformanceError(f"{where}: {rule}" + (f" (found: {found})" if found else ""))

    def fit(self, params: Params, **options: Any) -> Fitted:
        return self.trainer.fit(params, self.X, self.y, shape=self.shape, **{"seed": 1, **options})


def check_trainer(trainer: TabularTrainer | str, tasks: Iterable[Task] | None = None) -> None:
    """Checks every rule for every task that a trainer declares; takes seconds.

    Args:
        trainer: The trainer, or its registered name.
        tasks: Only these tasks.

    Raises:
        ConformanceError: A rule is broken.
        PluginNotFound: No trainer has this name.
    """
    checked = get_trainer(trainer) if isinstance(trainer, str) else trainer
    with limited_threads(1):
        for task in sorted(checked.tasks if tasks is None else tasks):
            _check_task(checked, task)


def _check_task(trainer: TabularTrainer, task: Task) -> None:
    case = _case(trainer, task, FEATURES)
    _check_space(case)
    defaults = trainer.defaults(case.shape)
    fitted = _check_fit(case, defaults)
    _check_repeatable(case, defaults, fitted)
    _check_conversion(case, fitted, "the defaults")
    for point in _points(trainer.space(case.shape)):
        _check_conversion(case, _check_fit(case, point), str(point))
    _check_rounds(case, defaults)
    if task == "multiclass":
        _check_missing_class(case, defaults)
    single = _case(trainer, task, FEATURES[:1])
    _check_conversion(single, _check_fit(single, trainer.defaults(single.shape)), "one feature")


def _case(trainer: TabularTrainer, task: Task, features: tuple[Feature, ...]) -> _Case:
    rng = np.random.default_rng(0)
    X, unseen = _rows(rng), _rows(rng)
    unseen[::3, 4] = UNKNOWN_CODE
    unseen[1::4, :4] = np.nan
    signal = X[:, 0] + np.nan_to_num(X[:, 1]) * (X[:, 4] - 3) + rng.normal(0, 0.3, ROWS)
    # as in a search, where regression targets are standardized before a fit
    y: Labels = TargetScale.of(signal).standardize(signal)
    if task != "regression":
        edges = (0.8,) if task == "binary" else (-0.5, 0.8)
        y = np.digitize(signal, edges).astype(np.int64)
    X, unseen = (np.ascontiguousarray(each[:, : len(features)]) for each in (X, unseen))
    for array in (X, y, unseen):
        array.flags.writeable = False
    return _Case(trainer, TableShape(task, CLASSES[task], features, ROWS), X, y, unseen)


def _rows(rng: np.random.Generator) -> Matrix:
    rows = np.column_stack(
        [
            rng.normal(size=ROWS),
            np.where(rng.random(ROWS) < 0.2, np.nan, rng.normal(size=ROWS)),
            1e7 + np.round(1000 * rng.random(ROWS)),
            np.full(ROWS, 0.1),
            rng.choice([0, 2, 3, 4, 5, 6, 7], ROWS),
        ]
    )
    return rows.astype(np.float32)


def _check_space(case: _Case) -> None:
    space, defaults = case.trainer.space(case.shape), case.trainer.defaults(case.shape)
    case.require(set(defaults) == set(space), "defaults() names the parameters of space()", f"{sorted(defaults)}")
    for name, distribution in space.items():
        inside = _inside(distribution, defaults[name])
        case.require(inside, f"the default of {name!r} lies inside the space", f"{defaults[name]!r}")


def _inside(distribution: Distribution, value: Value) -> bool:
    if isinstance(distribution, Choice):
        return value in distribution.options
    if not isinstance(value, int if isinstance(distribution, Int) else int | float):
        return False
    return distribution.low <= float(value) <= distribution.high


def _points(space: Space) -> list[dict[str, Value]]:
    rng = np.random.default_rng(2)
    return [{name: _draw(distribution, rng) for name, distribution in space.items()} for _ in range(POINTS)]


def _draw(distribution: Distribution, rng: np.random.Generator) -> Value:
    if isinstance(distribution, Choice):
        return distribution.options[int(rng.integers(len(distribution.options)))]
    low, high = float(distribution.low), float(distribution.high)
    value = float(np.exp(rng.uniform(np.log(low), np.log(high)))) if distribution.log else float(rng.uniform(low, high))
    return min(max(value, low), high) if isinstance(distribution, Float) else round(value)


def _check_fit(case: _Case, params: Params) -> Fitted:
    options: Mapping[str, Any] = {"rounds": 20} if case.trainer.stops_early else {}
    fitted = case.fit(params, **options)
    scores = _scores(case, fitted)
    case.require(np.isfinite(scores).all(), "predictions are finite for nulls and unknown categories", f"{params}")
    if case.shape.classes:
        total = scores.sum(axis=1)
        case.require(np.abs(total - 1).max() < 1e-5, "probabilities add up to 1", f"{total.min()} to {total.max()}")
        seen = np.unique(case.y)
        case.require(
            np.array_equal(fitted.pipeline.classes_, seen), "classes_ are the codes seen, ascending", f"not {seen}"
        )
    cost = case.trainer.cost(fitted, case.shape)
    case.require(np.isfinite(cost) and cost > 0, "cost() is positive", f"{cost}")
    return fitted


def _check_repeatable(case: _Case, params: Params, fitted: Fitted) -> None:
    options: Mapping[str, Any] = {"rounds": 20} if case.trainer.stops_early else {}
    first, again = _scores(case, fitted), _scores(case, case.fit(params, **options))
    case.require(np.array_equal(first, again), "the same seed on one thread gives the same model")
    copied = Fitted(pickle.loads(pickle.dumps(fitted.pipeline)))
    case.require(np.array_equal(first, _scores(case, copied)), "the pipeline survives a pickle")


def _check_rounds(case: _Case, params: Params) -> None:
    """Early stopping says how many rounds; a fixed number is taken as it is."""
    if not case.trainer.stops_early:
        return
    stopped = case.fit(params, validation=(case.unseen, case.y))
    rounds = stopped.rounds
    case.require(isinstance(rounds, int) and rounds >= 1, "early stopping returns its rounds", f"{rounds!r}")
    few, many = case.fit(params, rounds=1), case.fit(params, rounds=12)
    case.require(few.rounds is None and many.rounds is None, "fixed rounds are not returned as chosen ones")
    case.require(not np.array_equal(_scores(case, few), _scores(case, many)), "`rounds` sets the number of rounds")
    cost = case.trainer.cost
    case.require(cost(few, case.shape) < cost(many, case.shape), "cost() grows with the rounds")
    _check_conversion(case, stopped, "early stopping")


def _check_missing_class(case: _Case, params: Params) -> None:
    """A fold may lack a class that the contract has, and its validation rows may have it."""
    rows = case.y != 1
    reduced = _Case(case.trainer, case.shape, case.X[rows], case.y[rows], case.unseen)
    options: Mapping[str, Any] = {"validation": (case.X, case.y)} if case.trainer.stops_early else {}
    fitted = reduced.fit(params, **options)
    seen = np.asarray(fitted.pipeline.classes_)
    reduced.require(np.array_equal(seen, [0, 2]), "a class that was not seen is not in classes_", f"{seen}")
    _check_conversion(reduced, fitted, "a class without rows")


def _check_conversion(case: _Case, fitted: Fitted, what: str) -> None:
    """The compiled model answers as the pipeline does, nulls, unknown and unseen categories included."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = case.trainer.convert(fitted, case.shape)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in (*session.get_inputs(), *session.get_outputs())]
    wanted = ["X", "probabilities" if case.shape.classes else "value"]
    case.require(names == wanted, f"the compiled model goes from {wanted[0]} to {wanted[1]}", ", ".join(names))
    kind = session.get_outputs()[0].type
    case.require(kind == "tensor(float)", "the compiled model's output is float32", kind)
    matrix = np.concatenate([case.X, case.unseen])
    got = session.run(None, {"X": matrix})[0]
    expected = _predict(case.shape, fitted, matrix)
    case.require(got.shape == expected.shape, "the compiled model's output has the right shape", f"{got.shape}")
    scale = 1.0 if case.shape.classes else np.maximum(np.abs(expected), 1.0)
    worst = float((np.abs(got - expected) / scale).max())
    case.require(worst <= TOLERANCE, f"the compiled model agrees within {TOLERANCE} for {what}", f"{worst:.1e}")


def _scores(case: _Case, fitted: Fitted) -> NDArray[np.float64]:
    return _predict(case.shape, fitted, case.unseen)


def _predict(shape: TableShape, fitted: Fitted, matrix: Matrix) -> NDArray[np.float64]:
    """Probabilities (n, classes), 0 for a class that was not seen, or values (n, 1)."""
    if not shape.classes:
        return np.asarray(fitted.pipeline.predict(matrix), dtype=np.float64).reshape(-1, 1)
    wide = np.zeros((len(matrix), shape.classes))
    wide[:, np.asarray(fitted.pipeline.classes_, dtype=np.int64)] = fitted.pipeline.predict_proba(matrix)
    return wide
