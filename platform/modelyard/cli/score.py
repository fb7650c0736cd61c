"""`modelyard score`: predictions for a whole table, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings
from modelyard.cli.targets import model_folder

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.config.models import DataSettings

__all__ = ["EXAMPLE", "score"]

EXAMPLE = "modelyard score latest people.csv --output predictions.parquet"


def score(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A run's name or a model's folder.", show_default=False)
    ],
    data: Annotated[
        str,
        typer.Argument(metavar="TABLE", help="Table with the columns of the model's contract.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the predictions go.")],
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Predict every row of a table, and save the predictions as CSV, Parquet, JSON lines or Arrow.

    With a run's name the table is read as the run's was, unless settings say otherwise.
    """
    settings = load_settings(overrides, config_dir)
    from modelyard.models.inference import batch_predict

    predictions = batch_predict(
        model_folder(model, settings),
        data,
        output=output,
        settings=_reading(model, settings),
        allow_pickle=settings.model.serve_original,
    )
    document = {"rows": len(predictions), "output": str(output)}
    if as_json:
        emit(document)
    else:
        print_pairs(document)


def _reading(model: str, settings: Settings) -> DataSettings:
    """Says how to read the table."""
    from modelyard.registry.runs import open_run

    if Path(model).is_dir():
        return settings.data
    run = open_run(model, settings.storage.runs).settings.data
    return run.model_copy(update={name: getattr(settings.data, name) for name in settings.data.model_fields_set})
