"""From the settings to the rows of a search: loading, contract, quality, held-out rows, folds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from modelyard.config.models import Settings
from modelyard.data.contract import Contract
from modelyard.data.encoding import Encoder
from modelyard.data.inference import infer_contract
from modelyard.data.loading import load_data
from modelyard.data.quality import QualityReport
from modelyard.data.target import encode_target, split_target
from modelyard.data.validation import validate_data_quality
from modelyard.errors import ConfigError, DataError
from modelyard.models.folds import Folds, make_folds, split_held_out
from modelyard.models.metrics import get_metric

__all__ = ["Prepared", "Table", "load_table", "prepare"]


@dataclass(frozen=True)
class Table:
    """A table that can be searched on.

    Attributes:
        frame: Its rows.
        test: Held-out rows, where they are a file of their own.
        contract: What all its rows speak for.
        quality: What was found in it; no errors.
        digest: SHA-256 (hex) of its values and column names.
    """

    frame: pd.DataFrame
    test: pd.DataFrame | None
    contract: Contract
    quality: QualityReport
    digest: str


@dataclass(frozen=True)
class Prepared:
    """The rows of a search.

    Attributes:
        contract: What the search rows speak for.
        folds: The search rows, encoded and split.
        X: Encoded held-out rows, which the search never sees.
        y: Their class codes or values.
    """

    contract: Contract
    folds: Folds
    X: NDArray[np.float32]
    y: NDArray[Any]


def load_table(settings: Settings) -> Table:
    """Loads the table and looks at it.

    Raises:
        ConfigError: No path is set, or the settings contradict the table.
        DataError: The table cannot be read or used; of the errors of its quality, the first.
    """
    data = settings.data
    if data.path is None:
        raise ConfigError("data.path", "is not set", hint="give the training table, such as data.path=people.csv")
    frame = load_data(data.path, data)
    test = load_data(data.test_path, data) if data.test_path is not None else None
    contract = infer_contract(frame, data)
    quality = validate_data_quality(frame, contract, data, folds=settings.ml.folds)
    errors = quality.of("error")
    if errors:
        more = f" (and {len(errors) - 1} more; see modelyard check)" if len(errors) > 1 else ""
        raise DataError(f"{data.path}: {errors[0].message}{more}")
    get_metric(settings.ml.metric, contract.target.task)
    return Table(frame, test, contract, quality, _digest(frame))


def prepare(table: Table, settings: Settings) -> Prepared:
    """Sets rows aside for the evaluation, and splits the others into folds.

    The contract is inferred again, from the search rows alone: its vocabularies and bins must know nothing of
    the held-out ones.

    Raises:
        DataError: There are too few rows for the folds.
        ContractViolation: The rows of ``data.test_path`` do not fit.
    """
    target = table.contract.target
    rows, y = split_target(table.frame, table.contract)
    if table.test is not None:
        search, held = rows, table.test
    else:
        X = Encoder(table.contract).encode(rows)
        kept, apart = split_held_out(X, y, target.task, settings.ml)
        search, held = rows.iloc[kept].reset_index(drop=True), rows.iloc[apart].reset_index(drop=True)
    # fewer rows must not change what the target is
    positive = target.classes[1] if target.task == "binary" else None
    contract = infer_contract(search, settings.data.model_copy(update={"task": target.task, "positive": positive}))
    encoder = Encoder(contract)
    held, held_y = split_target(held, contract)
    folds = make_folds(
        encoder.encode(search),
        encode_target(search, contract),
        encoder.features,
        target.task,
        len(target.classes),
        settings.ml,
        get_metric(settings.ml.metric, target.task).name,
    )
    return Prepared(contract, folds, encoder.encode(held), held_y)


def _digest(frame: pd.DataFrame) -> str:
    digest = hashlib.sha256("\0".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()
