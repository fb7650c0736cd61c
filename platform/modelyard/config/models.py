"""The settings, typed: every key that a configuration may have, with its unit, its default and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from modelyard.utils.types import Kind, Label, Task

__all__ = [
    "ApiSettings",
    "DataSettings",
    "MlSettings",
    "ModelSettings",
    "ServingSettings",
    "Settings",
    "StorageSettings",
    "TuningSettings",
]

# YAML and Hydra read 1, true and 2024-01-01 as what they look like; a column's name is always a text
Name = Annotated[str, BeforeValidator(lambda value: value if value is None else str(value))]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class DataSettings(_Group):
    """Where the table is, how to read it, what its columns are."""

    path: str | None = Field(None, description="File or fsspec URL of the training table, or sklearn://NAME.")
    test_path: str | None = Field(None, description="Held-out rows as a file of their own, instead of a split.")
    format: Literal["auto", "csv", "parquet", "jsonl", "arrow"] = Field(
        "auto", description="Format of the file; auto goes by its ending, and takes CSV where that says nothing."
    )
    columns: list[Name] | None = Field(None, description="Column names of a CSV file without a header line.")
    header: bool | None = Field(
        None, description="Whether the first line names the columns; none: unless columns is set."
    )
    separator: str | None = Field(None, description="Field separator of a CSV file; none: found from the first lines.")
    quote: str = Field('"', min_length=1, max_length=1, description="Quote character of a CSV file.")
    na_values: list[Name] = Field(
        default_factory=list, description="Texts that mean null, beside the empty field, NA, NaN, null and None."
    )
    encoding: str = Field("utf-8", description="Encoding of a text file.")
    target: Name | None = Field(None, description="The column to predict; none: a column called target.")
    task: Task | Literal["auto"] = Field(
        "auto", description="What kind of prediction; auto goes by the target's values."
    )
    positive: Label | None = Field(None, description="The positive class of a binary target; none: the rarer one.")
    drop: list[Name] = Field(default_factory=list, description="Columns that no model may see, leaks for example.")
    kinds: dict[str, Kind] = Field(default_factory=dict, description="Kind by column where the inferred one is wrong.")
    contract: str | None = Field(None, description="A contract's file to use instead of inferring one.")
    max_categories: int = Field(
        1000, ge=1, le=100_000, description="Longest vocabulary; rarer categories count as unknown."
    )
    storage_options: dict[str, Any] = Field(default_factory=dict, description="Options of the fsspec file system.")


class MlSettings(_Group):
    """The measuring: splits, folds, metric, seed."""

    test_size: float = Field(0.2, gt=0, lt=1, description="Share of the rows held out from the search.")
    folds: int = Field(5, ge=2, le=20, description="Folds of the cross-validation.")
    repeats: int | None = Field(
        None, ge=1, le=20, description="Repetitions of it; none: three below 2,000 rows, else one."
    )
    metric: str = Field("auto", description="auto: roc_auc (binary), log_loss (multiclass), rmse (regression).")
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every split, draw and fit.")


class ModelSettings(_Group):
    """Which models compete and what the winner does with its scores."""

    name: str | None = Field(
        None, pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", description="Name of the model; none: from the file."
    )
    model_type: str = Field("auto", description="One trainer's name, or auto: all of `algorithms` compete.")
    algorithms: list[str] = Field(
        default_factory=lambda: ["lightgbm", "hist_gradient_boosting", "extra_trees", "random_forest", "linear"],
        description="The trainers that compete where model_type is auto.",
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters to fix instead of searching them.")
    threshold: Literal["default", "tuned"] = Field(
        "default", description="Binary label at 0.5, or where the out-of-fold balanced accuracy is best."
    )
    calibrate: bool = Field(False, description="Whether to calibrate probabilities on out-of-fold predictions.")
    serve_original: bool = Field(
        False, description="Whether a model without a correct compiled form may be served by pickle."
    )


class TuningSettings(_Group):
    """The search."""

    time_budget_s: float | None = Field(
        30.0,
        gt=0,
        description="Seconds of the search, refit, compilation and parity included; none: only trials count.",
    )
    trials: int | None = Field(None, ge=1, description="Most configurations to try; none: only the time counts.")
    slots: int | None = Field(None, ge=1, description="Trials at the same time; none: one a core.")
    deterministic: bool = Field(False, description="Repeatable to the bit: needs `trials`, and no time_budget_s.")
    startup_trials: int = Field(10, ge=1, description="Random configurations before the sampler learns from them.")
    finalists: int = Field(10, ge=1, description="Best trials that are refitted, compiled and measured one by one.")
    max_latency_ms: float = Field(5.0, gt=0, description="Slowest one-row prediction, in milliseconds, that may win.")
    address: str = Field("local", description="Ray cluster to use; local starts one for the search.")


class ServingSettings(_Group):
    """The packed service."""

    max_rows: int = Field(1000, ge=1, description="Most rows in one request.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of the bento.")


class ApiSettings(_Group):
    """Where a service listens."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(3000, ge=0, le=65535, description="Port; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that answer.")


class StorageSettings(_Group):
    """Where results live; every node of a search must reach it."""

    runs: str = Field("runs", description="Folder or fsspec URL of the runs.")
    models: str = Field("models", description="Folder of the local model registry.")


class Settings(_Group):
    """Everything that a configuration says."""

    environment: str = Field("development", description="Name of the environment, for logs and cards.")
    data: DataSettings = Field(default_factory=DataSettings)
    ml: MlSettings = Field(default_factory=MlSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    tuning: TuningSettings = Field(default_factory=TuningSettings)
    serving: ServingSettings = Field(default_factory=ServingSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
