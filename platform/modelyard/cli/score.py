"""`modelyard score`: predictions for a whole table, without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings
from modelyard.cli.targets import model_folder, reading_of

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
    """Predict every row of a table, and save the predictions as CSV, Parquet, JSON lines, Arrow or Excel.

    With a run's name the table is read as the run's was, unless settings say otherwise.
    """
    settings = load_settings(overrides, config_dir)
    from modelyard.models.inference import batch_predict

    predictions = batch_predict(
        model_folder(model, settings),
        data,
        output=output,
        settings=reading_of(model, settings),
        allow_pickle=settings.model.serve_original,
    )
    document = {"rows": len(predictions), "output": str(output)}
    if as_json:
        emit(document)
    else:
        print_pairs(document)
