"""Bodies of requests and answers: generic ones, and those that a contract speaks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, WithJsonSchema, create_model

from modelyard.api.fields import column_field
from modelyard.data.contract import Contract
from modelyard.utils.types import Label, Task

__all__ = [
    "FeedbackAnswer",
    "FeedbackRequest",
    "Health",
    "ModelDescription",
    "ModelList",
    "ModelReference",
    "Outcome",
    "ParityCounts",
    "PredictionRequest",
    "PredictionResponse",
    "answer_model",
    "class_text",
    "request_model",
    "row_model",
]

REQUEST = "Rows to predict. Where a key is there twice, in an object of any depth, the last one counts."
Value = str | bool | int | float | None


class PredictionRequest(BaseModel):
    """Features for any model that a `ModelService` holds."""

    features: list[Any] | dict[str, Any] = Field(
        description="One row, as values in the contract's order or by name, or a list of rows."
    )
    model_name: str | None = Field(None, description="Which model; none: the first that was loaded.")
    return_probabilities: bool = Field(False, description="Whether to answer with probabilities too.")


class PredictionResponse(BaseModel):
    """What a `ModelService` answered."""

    prediction: Any = Field(description="A label or value for each row.")
    probabilities: Any = Field(None, description="Probabilities of each row, by class in ascending order.")
    timing: dict[str, float] | None = Field(None, description="Milliseconds by step.")


class ModelReference(BaseModel):
    """Which model answered."""

    name: str
    version: str


class ParityCounts(BaseModel):
    """How the compiled graph compares with its original."""

    rows: int = Field(description="Rows that were compared.")
    failures: int = Field(description="Rows whose answers differ.")
    worst_difference: float = Field(description="Of a probability, or of a value relative to the target's spread.")


class ModelDescription(ModelReference):
    """A model that a service holds."""

    task: Task = Field(description="What kind of prediction.")
    target: str = Field(description="The column that is predicted.")
    classes: list[Label] = Field(description="Labels as in the training table; empty for a value.")
    contract: str = Field(description="Digest of the contract.")
    algorithm: str = Field("", description="The trainer's name.")
    metric: str = Field("", description="What the search went by.")
    score: float | None = Field(None, description="Of the held-out rows.")
    created_at: str = Field("", description="When it was trained, ISO 8601 in UTC.")


class ModelList(BaseModel):
    """The models that a service holds."""

    models: list[ModelDescription]


class Outcome(BaseModel):
    """What became of a prediction."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="As the prediction had it.")
    actual: Label = Field(description="The true label or value.")


class FeedbackRequest(BaseModel):
    """Outcomes of earlier predictions."""

    model_config = ConfigDict(extra="forbid")

    feedback: list[Outcome]


class FeedbackAnswer(BaseModel):
    """What was done with outcomes."""

    counted: int = Field(description="How many were counted.")
    repeated: int = Field(description="How many were not, since an outcome of the same prediction was counted before.")


class Health(BaseModel):
    """Whether the service answers, and with what."""

    status: Literal["ok"] = "ok"
    model: ModelReference
    served: Literal["compiled", "original"] = Field(description="The compiled graph, or the original by pickle.")
    reason: str = Field("", description="Why, where it is the original.")
    parity: ParityCounts | None = Field(None, description="How both compare; none where there is one only.")


def row_model(contract: Contract) -> type[BaseModel]:
    """Returns the type of one row: a field for each column, with the column's name as alias.

    The fields themselves are called ``column_0`` and so on, in the contract's order, since a column's name may
    be any text. Unknown columns are refused.
    """
    fields = [column_field(column) for column in contract.columns]
    definitions: dict[str, Any] = {f"column_{i}": (field.annotation, field.info) for i, field in enumerate(fields)}
    config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": dict(contract.example)})
    return create_model("Row", __config__=config, __doc__="One row, by column.", **definitions)


def request_model(contract: Contract, max_rows: int) -> type[BaseModel]:
    """Returns the type of a request: rows by name, or as lists of values in the order of ``columns``."""
    either: Any = (
        row_model(contract)
        | Annotated[list[Value], Field(description="A value for each of `columns`, in their order.")]
    )
    row: Any = create_model("RowOrValues", __base__=_Exclusive, __doc__="One row.", root=(either, ...))
    name: Any = Annotated[str, WithJsonSchema({"type": "string", "enum": list(contract.names)})]
    names: Any = Annotated[list[name], Field(json_schema_extra={"uniqueItems": True})]
    columns = Field(None, description="Names for rows that are lists of values; none: the contract's columns.")
    rows = Field(min_length=1, max_length=max_rows, description=f"One to {max_rows} rows.")
    example: Any = {"rows": [dict(contract.example)]}
    config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": example})
    timing = Field(False, description="Whether the answer shall say how long its steps took.")
    definitions: dict[str, Any] = {
        "rows": (list[row], rows),
        "columns": (names | None, columns),
        "timing": (bool, timing),
    }
    return create_model("PredictRequest", __config__=config, __doc__=REQUEST, **definitions)


def answer_model(contract: Contract, *, ids: bool) -> type[BaseModel]:
    """Returns the type of an answer: a prediction for each row, and the model that made it.

    Args:
        contract: What is predicted.
        ids: Whether predictions have ids.
    """
    classes = contract.target.classes
    fields: dict[str, Any]
    if classes:
        label: Any = Literal[classes] if all(not isinstance(label, float) for label in classes) else float
        probability = Field(description="Probability by class.", examples=[_even(contract)])
        fields = {
            "label": (label, Field(description=f"The class of {contract.target.name}.")),
            "probabilities": (dict[str, float], probability),
        }
    else:
        fields = {"value": (float, Field(description=f"The value of {contract.target.name}."))}
    if ids:
        fields["id"] = (str, Field(description="What to tell at /api/v1/feedback with the outcome."))
    prediction: Any = create_model("Prediction", __doc__="The prediction for one row.", **fields)
    return create_model(
        "PredictAnswer",
        __doc__="A prediction for each row, in the order of the request.",
        predictions=(list[prediction], Field(description="One for each row, in the order of the request.")),
        model=(ModelReference, Field(description="Which model answered.")),
        timing=(dict[str, float] | None, Field(None, description="Milliseconds by step, where they were asked for.")),
    )


def class_text(label: Any) -> str:
    """Returns the text of a class where JSON needs one: 1 is "1", true is "true"."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _even(contract: Contract) -> dict[str, float]:
    classes = contract.target.classes
    return {class_text(label): round(1 / len(classes), 3) for label in classes}


def _one_of(schema: dict[str, Any]) -> None:
    # of anyOf, BentoML's clients take the first for granted
    if "anyOf" in schema:
        schema["oneOf"] = schema.pop("anyOf")


class _Exclusive(RootModel[Any]):
    """One of several types, which no value can have at once."""

    model_config = ConfigDict(json_schema_extra=_one_of)
