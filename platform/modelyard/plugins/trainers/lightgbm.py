"""Gradient boosting of LightGBM (Ke et al., 2017), its splits numeric only."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ConversionFailed
from modelyard.plugins.base import Fitted, TableShape
from modelyard.plugins.registry import register_plugin
from modelyard.plugins.space import Choice, Int, Space
from modelyard.plugins.trainers._boosting import (
    LEARNING_RATE,
    PATIENCE,
    SAMPLING,
    SAMPLING_DEFAULTS,
    STEP,
    BoostingTrainer,
    Rows,
    default_leaf_rows,
    leaf_rows,
)
from modelyard.plugins.trainers._onnx import Link
from modelyard.plugins.trainers._trees import Ensemble, Tree

__all__ = ["LightGbm"]

LINKS: dict[str, Link] = {
    "binary sigmoid:1": "sigmoid",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "fair": "identity",
    "quantile": "identity",
    "mape": "identity",
}
# bits of a node's decision_type in LightGBM's model text
CATEGORICAL, DEFAULT_LEFT, ZERO_IS_MISSING, NAN_IS_MISSING = 1, 2, 4, 8
COST_SAMPLE = 25


@register_plugin(
    name="lightgbm",
    category="model_training",
    description="Gradient boosting of LightGBM",
    dependencies=["lightgbm", "sklearn", "onnx"],
    version="1",
)
class LightGbm(BoostingTrainer):
    """Leaf-wise boosted trees."""

    rounds_key = "n_estimators"

    def space(self, shape: TableShape) -> Space:
        """See the base class."""
        return {
            "learning_rate": LEARNING_RATE,
            "num_leaves": Int(4, 128, log=True),
            "min_child_samples": leaf_rows(shape),
            **SAMPLING,
            "extra_trees": Choice((False, True)),
        }

    def defaults(self, shape: TableShape) -> dict[str, Any]:
        """LightGBM's own, with a smaller step and mild sampling."""
        return {
            "learning_rate": STEP,
            "num_leaves": 31,
            "min_child_samples": default_leaf_rows(shape),
            **SAMPLING_DEFAULTS,
            "extra_trees": False,
        }

    def _boost(
        self, params: dict[str, Any], train: Rows, validation: Rows | None, *, classify: bool, threads: int
    ) -> Fitted:
        # deterministic and row-wise: repeatable, and without the trial of both layouts at each start
        settings = {"deterministic": True, "force_row_wise": True, "verbose": -1, "subsample_freq": 1}
        estimator = lightgbm.LGBMClassifier if classify else lightgbm.LGBMRegressor
        model = estimator(**{**settings, "n_jobs": threads, **params})
        if validation is None:
            return Fitted(model.fit(*train))
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        model.fit(*train, eval_X=validation[0], eval_y=validation[1], callbacks=[stop])
        return Fitted(model, rounds=max(int(model.best_iteration_), 1))

    def trees(self, fitted: Fitted) -> Ensemble:
        """Reads the model's text: LightGBM's one interface with thresholds in full precision, and fast."""
        return self._read(fitted.pipeline.booster_.model_to_string())

    def cost(self, fitted: Fitted, shape: TableShape) -> float:  # noqa: ARG002  the interface's argument
        """Estimates the nodes visited from rounds in the middle: the text of all takes as long as a small fit."""
        booster = fitted.pipeline.booster_
        rounds = booster.current_iteration()  # those that found a split, which are fewer than were tried
        if booster.best_iteration > 0:
            rounds = min(rounds, booster.best_iteration)
        first = max(0, (rounds - COST_SAMPLE) // 2)
        sample = self._read(booster.model_to_string(num_iteration=COST_SAMPLE, start_iteration=first))
        steps = sum(tree.steps for tree in sample.trees)
        return float(steps * rounds * len(sample.base) / len(sample.trees))

    def _read(self, text: str) -> Ensemble:
        header, *blocks = _fields(text)
        objective = header.get("objective", "a function of one's own")
        link = "softmax" if objective.startswith("multiclass ") else LINKS.get(objective)
        if link is None or "average_output" in header:
            raise ConversionFailed(self.name, f"the objective {objective!r} or its boosting has no exact ONNX form")
        outputs = int(header["num_tree_per_iteration"])
        trees = [_tree(block, number % outputs) for number, block in enumerate(blocks)]
        if any(tree is None for tree in trees):
            raise ConversionFailed(self.name, "it has categorical splits, linear leaves, or takes zero for missing")
        return Ensemble([tree for tree in trees if tree is not None], np.zeros(outputs), link)


def _fields(text: str) -> list[dict[str, str]]:
    """The header's fields, then those of each tree."""
    blocks = text.partition("\nend of trees")[0].split("\nTree=")
    return [dict(line.partition("=")[::2] for line in block.splitlines() if line) for block in blocks]


def _tree(fields: dict[str, str], target: int) -> Tree | None:
    """Inner nodes first, then the leaves, which the text counts as -1, -2, ...; None where it is not numeric."""
    values = _numbers(fields, "leaf_value")
    inner, leaves = len(values) - 1, np.full(len(values), -1)
    decision = _numbers(fields, "decision_type", np.int64)[:inner]
    if np.any(decision & (CATEGORICAL | ZERO_IS_MISSING)) or fields.get("is_linear", "0") != "0":
        return None
    threshold = _numbers(fields, "threshold")[:inner]
    children = [_numbers(fields, f"{side}_child", np.int64)[:inner] for side in ("left", "right")]
    left, right = (np.concatenate([np.where(child < 0, inner + ~child, child), leaves]) for child in children)
    # a column without nulls in the training rows reads a null as zero
    missing_left = np.where(decision & NAN_IS_MISSING, (decision & DEFAULT_LEFT) > 0, threshold >= 0)
    empty = np.zeros(len(values))
    return Tree(
        feature=np.concatenate([_numbers(fields, "split_feature", np.int64)[:inner], leaves]),
        threshold=np.concatenate([threshold, empty]),
        left=left,
        right=right,
        missing_left=np.concatenate([missing_left, empty]).astype(bool),
        value=np.concatenate([np.zeros(inner), values])[:, None],
        cover=np.concatenate([_numbers(fields, "internal_count")[:inner], empty + 1]),
        targets=(target,),
    )


def _numbers(fields: dict[str, str], key: str, dtype: type = np.float64) -> NDArray[Any]:
    return np.array(fields.get(key, "").split(), dtype=dtype)
