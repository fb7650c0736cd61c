"""`modelyard serve`: answer predictions until it is stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard.cli.options import ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.targets import is_bento, model_folder

__all__ = ["EXAMPLE", "serve"]

EXAMPLE = "modelyard serve api.port=3001"


def serve(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A bento's tag, a run's name or a model's folder; none: the champion.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    config_dir: ConfigDir = None,
) -> None:
    """Pack a model if need be and serve it, until Ctrl-C."""
    target, rest = split_target(model, overrides)
    settings = load_settings(rest, config_dir)
    folder = None if is_bento(target) else model_folder(target, settings)
    from modelyard_bentos.client import serve as serve_bento
    from modelyard_bentos.packaging import pack

    raise typer.Exit(serve_bento(str(target) if folder is None else pack(folder, settings).tag, settings))
