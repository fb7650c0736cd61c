"""The settings, typed: every key that a configuration may have, with its unit, its default and why."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from modelyard.utils.types import Kind, Label, Task

__all__ = [
    "ApiSettings",
    "ClusterSettings",
    "DataSettings",
    "MlSettings",
    "ModelSettings",
    "PredictionLogSettings",
    "RolloutSettings",
    "ServingSettings",
    "Settings",
    "StorageSettings",
    "TuningSettings",
]

# YAML and Hydra read 1, true and 2024-01-01 as what they look like; a column's name is always a text
Name = Annotated[str, BeforeValidator(lambda value: value if value is None else str(value))]
# a tab cannot be typed on a command line
Separator = Annotated[str, BeforeValidator(lambda value: "\t" if value == "\\t" else value)]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)


class DataSettings(_Group):
    """Where the table is, how to read it, what its columns are."""

    path: str | None = Field(None, description="File or fsspec URL of the training table, or sklearn://NAME.")
    test_path: str | None = Field(None, description="Held-out rows as a file of their own, instead of a split.")
    format: Literal["auto", "csv", "parquet", "jsonl", "arrow", "excel"] = Field(
        "auto", description="Format of the file; auto goes by its ending, and takes CSV where that says nothing."
    )
    columns: list[Name] | None = Field(None, description="Column names of a CSV file without a header line.")
    header: bool | None = Field(
        None, description="Whether the first line names the columns; none: unless columns is set."
    )
    separator: Separator | None = Field(
        None, description="Field separator of a CSV file, \\t for a tab; none: found from the first lines."
    )
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
    kinds: dict[Name, Kind] = Field(default_factory=dict, description="Kind by column where the inferred one is wrong.")
    contract: str | None = Field(None, description="A contract's file to use instead of inferring one.")
    max_categories: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Longest vocabulary, in categories; rarer ones count as unknown, so that a column of free text "
        "does not fill the model.",
    )
    storage_options: dict[str, Any] = Field(default_factory=dict, description="Options of the fsspec file system.")


class MlSettings(_Group):
    """The measuring: splits, folds, metric, seed."""

    test_size: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the rows held out from the search; a fifth leaves a small table enough to learn from.",
    )
    folds: int = Field(
        5, ge=2, le=20, description="Folds of the cross-validation; five is where more folds cost more than they tell."
    )
    repeats: int | None = Field(
        None,
        ge=1,
        le=20,
        description="Repetitions of it; none: three below 2,000 rows, where one split is mostly luck, else one.",
    )
    metric: str = Field(
        "auto",
        description="What the search improves; auto: roc_auc (binary), log_loss (multiclass), rmse (regression). "
        "Others: accuracy, balanced_accuracy, mcc; f1, precision and recall, of the positive class or the macro mean "
        "of several, each also with _macro and _weighted; average_precision and brier (binary); roc_auc_ovr and "
        "roc_auc_ovo (multiclass); mae and r2 (regression).",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of every split, draw and fit.")


class ModelSettings(_Group):
    """Which models compete and what the winner does with its scores."""

    name: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$",
        max_length=128,
        description="Name of the model; null takes the name of the file.",
    )
    model_type: str = Field("auto", description="One trainer's name, or auto: all of `algorithms` compete.")
    algorithms: list[str] = Field(
        default_factory=lambda: ["lightgbm", "hist_gradient_boosting", "extra_trees", "random_forest", "linear"],
        min_length=1,
        description="The trainers that compete where model_type is auto; every one that `[train]` brings.",
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters to fix instead of searching them.")
    threshold: Literal["default", "tuned"] = Field(
        "default",
        description="Binary label at 0.5, or tuned: where `ml.metric` is best out of fold, or balanced accuracy where "
        "that metric does not depend on the threshold or is precision or recall alone.",
    )
    calibrate: bool = Field(False, description="Whether to calibrate probabilities on out-of-fold predictions.")
    serve_original: bool = Field(
        False,
        description="Whether a model without a correct compiled form may be served by pickle, which can run any code.",
    )


class TuningSettings(_Group):
    """The search."""

    time_budget_s: float | None = Field(
        30.0,
        gt=0,
        description="Seconds of the search, with refit, compilation and parity; none: only trials count. Half a "
        "minute ranks the trainers of a small table.",
    )
    trials: int | None = Field(None, ge=1, description="Most configurations to try; none: only the time counts.")
    slots: int | None = Field(None, ge=1, description="Trials at the same time; none: one a core.")
    deterministic: bool = Field(
        False, description="Whether the result repeats to the bit; counts `trials` and has no time budget."
    )
    startup_trials: int = Field(
        10, ge=1, description="Random configurations before the sampler learns; fewer tell it too little to learn from."
    )
    finalists: int = Field(
        10, ge=1, description="Best trials that are refitted, compiled and measured one by one; only these can win."
    )
    max_latency_ms: float = Field(
        5.0,
        gt=0,
        description="Slowest one-row prediction that may win, in milliseconds; slower models hold up a service.",
    )
    address: str = Field("local", description="Ray cluster to use; local starts one for the search.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port on which a search answers /metrics while it runs; none: on none."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.deterministic and self.trials is None:
            raise ValueError("a deterministic search needs tuning.trials, since seconds do not repeat")
        if self.deterministic and self.time_budget_s is not None:
            if "time_budget_s" in self.model_fields_set:
                raise ValueError("a deterministic search takes no tuning.time_budget_s; set it to null")
            self.time_budget_s = None
        if self.trials is None and self.time_budget_s is None:
            raise ValueError("the search would never end; set tuning.trials or tuning.time_budget_s")
        return self


class PredictionLogSettings(_Group):
    """What a service writes down of what it predicts."""

    url: str | None = Field(None, description="Folder or fsspec URL of the log; none: there is none.")
    sample: float = Field(1.0, gt=0, le=1, description="Share of the requests that are logged.")
    rows: int = Field(50_000, ge=1, description="Rows of a file; a worker writes one as soon as it has so many.")
    seconds: float = Field(60.0, gt=0, description="Longest time between two files of a worker that has any rows.")
    buffer_mb: float = Field(
        64.0, gt=0, description="Megabytes that may wait in a worker while storage is slow; rows beyond are dropped."
    )
    redact: list[Name] = Field(default_factory=list, description="Columns that are left out of the log.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the fsspec file system.")


class ServingSettings(_Group):
    """The packed service."""

    max_rows: int = Field(1000, ge=1, description="Most rows in one request; larger tables are for `modelyard score`.")
    max_body_bytes: int = Field(
        4 * 2**20, ge=1024, description="Longest body of a request, in bytes, inflated where it is gzip."
    )
    max_inflight_mb: int = Field(
        64,
        ge=1,
        description="Maximum MiB of request bodies that a worker holds at the same time, and of answers that clients "
        "leave unread; further requests with a body get 429, and the slowest reader loses its connection. Bodies that "
        "come in one piece with their headers (up to 64 KiB) are not counted.",
    )
    client_timeout_s: float = Field(
        10.0,
        gt=0,
        description="Seconds that a client may take to send its headers, to send a body, or to read an answer; a "
        "slower one holds a place of others.",
    )
    max_concurrency: int = Field(
        256, ge=1, description="Most requests at the same time, a worker; the next one is told at once to come back."
    )
    max_connections: int = Field(
        1024,
        ge=1,
        description="Maximum open connections per worker; for a further one the oldest connection without a request "
        "is closed, so that probes are answered. Limited to what `ulimit -n` allows.",
    )
    idle_timeout_s: float = Field(
        75.0,
        gt=0,
        description="Seconds that a connection may wait for its next request; longer than the idle timeout of the "
        "proxy in front (often 60), or the proxy sends requests to connections that are just being closed.",
    )
    max_header_bytes: int = Field(
        16 * 1024, ge=1024, description="Maximum bytes of a request's URL and headers together; more get 431."
    )
    max_headers: int = Field(100, ge=8, description="Maximum number of headers of a request; more get 431.")
    inline_ms: float = Field(
        5.0,
        ge=0,
        description="Longest work, in milliseconds by estimate, that a worker does between two looks at its other "
        "requests; more goes to a thread, so that probes never wait for it.",
    )
    drain_seconds: float = Field(
        5.0,
        ge=0,
        description="Seconds to go on answering after SIGTERM, with readiness off, so that a rolling update loses no "
        "request; must be longer than a cluster takes to hear of it.",
    )
    keys_file: str | None = Field(
        None, description="File with SHA-256 digests of the keys that clients must present; none: everybody may ask."
    )
    cors_origins: list[str] = Field(
        default_factory=list, description="Origins of pages whose scripts may call the service, such as https://a.org."
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port of its own for /metrics; none: the service's, behind its keys."
    )
    prediction_bins: list[float] = Field(
        default_factory=list,
        description="Inner edges of the bins in which predicted values are counted; none: the contract's. A canary "
        "gets the stable version's, so that both can be compared.",
    )
    page: bool = Field(
        True, description="Whether there is a page to try the model on, at /, and /api/v1/live, which it asks."
    )
    drift: bool = Field(
        True, description="Whether predicted rows are counted by column and bin of the contract, to tell drift from."
    )
    feedback_key_file: str | None = Field(
        None,
        description="File with a secret of 16 to 64 characters that signs the ids of predictions, the same for all "
        "replicas; none: predictions have no ids, and /api/v1/feedback is not there.",
    )
    feedback_days: float = Field(
        30.0, gt=0, description="Days in which the outcome of a prediction is taken; older ids are refused."
    )
    logs: Literal["auto", "text", "json"] = Field(
        "auto", description="Form of the log's lines; auto: text on a terminal, else one JSON object a line."
    )
    access_log: Literal["none", "refused", "all"] = Field(
        "refused",
        description="Requests that get a line in the log: those that somebody may have to look into, or all; what all "
        "of them come to is in the metrics, for less than a line each costs.",
    )
    log_features: bool = Field(
        False,
        description="Whether the log may hold what clients sent: bodies, and messages of errors, which quote values.",
    )
    labels: dict[Name, Name] = Field(default_factory=dict, description="Labels of the bento.")
    prediction_log: PredictionLogSettings = Field(
        default_factory=PredictionLogSettings, description="Whether predictions are written down, and where."
    )


class ApiSettings(_Group):
    """Where a service listens."""

    host: str = Field("127.0.0.1", description="Address to listen on; the default is reached from this machine only.")
    port: int = Field(3000, ge=0, le=65535, description="Port; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that answer.")
    routers: list[str] = Field(
        default_factory=list, description="Routers of one's own to serve too, each as package.module:attribute."
    )


class ClusterSettings(_Group):
    """What a cluster runs."""

    serving_base: str | None = Field(
        None, description="Image that the bento of a compiled model is laid on: REGISTRY/NAME:TAG of target serving."
    )
    sklearn_base: str | None = Field(
        None, description="The same for a model that is served by its original: target serving-sklearn."
    )
    training_image: str | None = Field(
        None, description="Image that searches: REGISTRY/NAME:TAG, or better @sha256:..., of target training."
    )
    context: str | None = Field(None, description="Context of the kubeconfig; none: its current one.")
    namespace: str | None = Field(None, description="Namespace to work in; none: the context's.")
    storage: str | None = Field(
        None,
        description="fsspec URL that this machine and every pod reach, such as s3://bucket/modelyard; runs, tables and "
        "wheels of `tune --on kube` go there.",
    )
    storage_secret: str | None = Field(
        None,
        description="Secret of the namespace whose entries are the pods' environment for the storage, such as "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; none: the pods need none.",
    )
    s3_endpoint: str | None = Field(
        None,
        description="Address of an S3 server that is not Amazon's, as pods reach it; AWS_ENDPOINT_URL is for here.",
    )
    s3_region: str = Field("us-east-1", description="Region of the bucket; most other servers take any.")
    engine: Literal["job", "kuberay"] = Field(
        "job", description="What keeps Ray's pods: one Indexed Job, which needs nothing installed, or a KubeRay RayJob."
    )
    wheels: list[Name] = Field(
        default_factory=list, description="Files of wheels with plugins of your own, for the pods of a search."
    )
    training_values: str | None = Field(
        None,
        description="Values file for the training chart, for what has no setting: tolerations, priority and so on.",
    )
    release: str | None = Field(
        None, description="Name of the release that `deploy` makes; none: the last part of the image's name."
    )
    p99_ms: float = Field(
        50.0,
        gt=0,
        description="Milliseconds in which a deployment must answer 99 of 100 requests of one row; `deploy` gives its "
        "pods the spare CPU that this takes.",
    )
    serving_values: str | None = Field(
        None,
        description="Values file for the serving chart, for what has no setting: an Ingress, keys, tolerations and so "
        "on; goes before what `deploy` sets.",
    )


class RolloutSettings(_Group):
    """When a canary may go on, and when it is taken back."""

    step_s: float = Field(300.0, gt=0, description="Seconds that a step lasts, once its pods are ready.")
    min_requests: int = Field(
        200, ge=1, description="Fewest requests of a step, on each track; fewer decide nothing, and the canary goes."
    )
    max_errors: float | None = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of requests that the canary may refuse or fail beyond the stable track's; none: any.",
    )
    max_slowdown: float | None = Field(
        2.0, ge=1, description="The canary's p99 may be so many times the stable track's; none: it may be anything."
    )
    max_shift: float | None = Field(
        0.1,
        gt=0,
        description="Population stability index that the canary's predictions may have against the stable track's; "
        "none: any.",
    )


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
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)
    rollout: RolloutSettings = Field(default_factory=RolloutSettings)
