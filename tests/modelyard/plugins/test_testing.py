from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from modelyard.plugins.base import Fitted, TableShape
from modelyard.plugins.registry import BUILT_IN
from modelyard.plugins.testing import ConformanceError, check_trainer
from modelyard.plugins.trainers.lightgbm import LightGbm
from modelyard.plugins.trainers.linear import Linear

TRAINERS = [name for name in BUILT_IN if name != "sklearn_trainer"]


@pytest.mark.parametrize("name", TRAINERS)
def test_built_in_trainers_conform(name: str) -> None:
    check_trainer(name)


class OutsideDefault(Linear):
    def defaults(self, shape: TableShape) -> dict[str, Any]:
        return dict.fromkeys(super().defaults(shape), 1e9)


class ForgottenDefault(Linear):
    def defaults(self, shape: TableShape) -> dict[str, Any]:  # noqa: ARG002
        return {}


class Unrepeatable(LightGbm):
    def fit(self, params: Any, *args: Any, **options: Any) -> Fitted:
        options["seed"] = int(np.random.default_rng().integers(1 << 30))
        return super().fit(params, *args, **options)


class FreeOfCost(Linear):
    def cost(self, fitted: Fitted, shape: TableShape) -> float:  # noqa: ARG002
        return 0.0


class IgnoresRounds(LightGbm):
    def fit(self, params: Any, *args: Any, **options: Any) -> Fitted:
        if options.get("rounds") is not None:
            options["rounds"] = 5
        return super().fit(params, *args, **options)


class MovedWeights(Linear):
    def convert(self, fitted: Fitted, shape: TableShape) -> bytes:
        model = onnx.load_model_from_string(super().convert(fitted, shape))
        for node in model.graph.node:
            for each in node.attribute:
                if each.name == "coefficients":
                    each.floats[:] = [1.001 * weight for weight in each.floats]
        return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("trainer", "rule"),
    [
        (OutsideDefault, "lies inside the space"),
        (ForgottenDefault, "names the parameters of space"),
        (Unrepeatable, "the same seed"),
        (FreeOfCost, "cost\\(\\) is positive"),
        (IgnoresRounds, "`rounds` sets"),
        (MovedWeights, "agrees within 1e-05"),
    ],
)
def test_a_broken_rule_is_named(trainer: type[Linear] | type[LightGbm], rule: str) -> None:
    with pytest.raises(ConformanceError, match=f"binary: .*{rule}"):
        check_trainer(trainer(), ["binary"])
