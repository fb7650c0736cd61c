"""A small model of a mixed table, compiled by hand: serving is tested without training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from onnx import GraphProto, TensorProto, helper, numpy_helper

from modelyard.config.models import DataSettings
from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.inference import infer_contract
from modelyard.data.scale import TargetScale
from modelyard.models.artifact import save_model
from modelyard.models.card import Card
from modelyard.models.figures import Figure
from modelyard.models.parity import Parity

LABELS: dict[str, list[Any]] = {
    "binary": ["<=50K", ">50K"],
    "multiclass": [1, 2, 5],
    "flag": [False, True],
    "regression": [],
    # seconds since 1970, which float32 holds to the nearest 128: the model answers in float64
    "instant": [],
}
INSTANT = 1.7e9


def make_table(task: str = "binary", rows: int = 240) -> pd.DataFrame:
    """Every kind of column, with names that a program would like to use itself."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": rng.integers(17, 91, rows),
            "education-num": rng.normal(10, 3, rows).round(2),
            "model_config": rng.choice(["Private", "Größe x", "?", "Self emp"], rows, p=[0.5, 0.3, 0.1, 0.1]),
            "seen at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**7, rows), unit="s"),
            "_copy": rng.random(rows) > 0.5,
            "json": pd.Categorical(rng.choice([1, 2, 30], rows)),
        }
    )
    frame.loc[::7, "education-num"] = None
    frame.loc[3::9, "model_config"] = None
    labels = LABELS[task]
    noise = frame["age"] + rng.normal(0, 20, rows) + INSTANT * (task == "instant")
    frame["target"] = pd.qcut(noise, len(labels), labels=False).map(dict(enumerate(labels))) if labels else noise
    return frame


def make_contract(frame: pd.DataFrame, **changes: dict[str, Any]) -> Contract:
    """The table's contract, with some columns' attributes changed."""
    contract = infer_contract(frame, DataSettings(target="target"))
    columns = tuple(column.model_copy(update=changes.get(column.name, {})) for column in contract.columns)
    return contract.model_copy(update={"columns": columns})


def save_served(
    folder: Path,
    frame: pd.DataFrame,
    contract: Contract | None = None,
    name: str = "people",
    alter: Callable[[GraphProto], None] = lambda _: None,
    predicted: tuple[float, ...] = (),
    held_out: Mapping[str, float] | None = None,
) -> Path:
    """Saves a linear model with random weights as a model folder.

    Args:
        folder: Which.
        frame: The training table.
        contract: What its columns are; none: what they are inferred to be.
        name: The model's.
        alter: Changes the graph before it is saved.
        predicted: What the card says of the predictions on held-out rows.
        held_out: The card's figures on these rows.
    """
    contract = contract or make_contract(frame)
    encoded = np.nan_to_num(Encoder(contract).encode(frame))
    outputs = len(contract.target.classes) or 1
    weights = np.random.default_rng(2).normal(size=(encoded.shape[1], outputs)) / (encoded.std(axis=0) + 1)[:, None]
    bias = -(encoded.mean(axis=0) @ weights)
    name_of_output, last = ("probabilities", "Softmax") if contract.target.classes else ("value", "Identity")
    weighted = {"coefficients": weights.T.ravel(), "intercepts": bias.ravel(), "targets": outputs}
    nodes = [
        helper.make_node("IsNaN", ["X"], ["null"]),
        helper.make_node("Where", ["null", "zero", "X"], ["known"]),
        helper.make_node("LinearRegressor", ["known"], ["scores"], domain="ai.onnx.ml", **weighted),
        helper.make_node(last, ["scores"], [name_of_output]),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, encoded.shape[1]])],
        [helper.make_tensor_value_info(name_of_output, TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(np.zeros((), dtype=np.float32), "zero")],
    )
    if TargetScale.of(frame["target"] if not contract.target.classes else [0.0]).dtype == np.float64:
        _answer_in_double(graph)
    alter(graph)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, {"least_rows": "2"})
    card = Card(
        model=name,
        task=contract.target.task,
        metric="roc_auc",
        algorithm="linear",
        predicted=predicted,
        held_out={name: Figure(value) for name, value in (held_out or {}).items()},
        contract=contract.digest,
        parity=Parity(passed=True, rows=10_200, held_out=200, failures=0, worst_difference=2e-7, worst_row={}),
    )
    return save_model(folder, contract=contract, card=card, onnx=model.SerializeToString())


def _answer_in_double(graph: GraphProto) -> None:
    graph.node[-1].output[0] = "single"
    graph.initializer.append(numpy_helper.from_array(np.array(INSTANT), "instant"))
    graph.node.append(helper.make_node("Cast", ["single"], ["double"], to=TensorProto.DOUBLE))
    graph.node.append(helper.make_node("Add", ["double", "instant"], ["value"]))
    graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def json_rows(frame: pd.DataFrame, contract: Contract) -> list[dict[str, Any]]:
    """The table's rows as a client would send them."""
    records = frame[list(contract.names)].astype(object).to_dict("records")
    return [{name: _json_value(value) for name, value in record.items()} for record in records]


def _json_value(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else getattr(value, "item", lambda: value)()
