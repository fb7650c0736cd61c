"""`modelyard verify`: is a model still what its card says?"""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.targets import is_bento, model_folder
from modelyard.errors import ModelNotFound

__all__ = ["EXAMPLE", "verify"]

EXAMPLE = "modelyard verify latest"


def verify(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A run's name, a model's folder or a bento's tag; none: the champion.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    digests_only: Annotated[
        bool, typer.Option("--digests-only", help="Load no pickle: for a model whose maker is not trusted.")
    ] = False,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a model's digests, and its compiled form against the original on fresh rows.

    Ends with 1 where one of them does not hold.
    """
    target, rest = split_target(model, overrides)
    settings = load_settings(rest, config_dir)
    from modelyard.models.artifact import verify as verify_model

    folder = _folder_in_bento(str(target)) if is_bento(target) else model_folder(target, settings)
    found = verify_model(folder, deep=not digests_only)
    document = {"model": str(folder)} | found
    if as_json:
        emit(document)
    else:
        print_pairs(document | found.get("parity", {}))
    if not found["ok"]:
        raise typer.Exit(1)


def _folder_in_bento(tag: str) -> str:
    from modelyard_bentos.contents import MODEL
    from modelyard_bentos.packaging import bentoml_home

    folder = bentoml_home() / "bentos" / tag.replace(":", "/", 1) / "src" / MODEL
    if not folder.is_dir():
        store = bentoml_home() / "bentos"
        raise ModelNotFound(tag, [f"{path.parent.name}:{path.name}" for path in store.glob("*/*") if path.is_dir()])
    return str(folder)
