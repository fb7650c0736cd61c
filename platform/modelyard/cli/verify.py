"""`modelyard verify`: is a model still what its card says, and what can its service take?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from modelyard.cli.capacity import print_capacity
from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.targets import is_bento, model_folder

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
        bool,
        typer.Option(
            "--digests-only", help="Load no pickle and serve nothing: for a model whose maker is not trusted."
        ),
    ] = False,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a model's digests, and its compiled form against the original on fresh rows.

    A bento is served too, on this machine, and its capacity measured anew; the bento keeps the figures. Ends with 1
    where a check does not hold.
    """
    target, rest = split_target(model, overrides)
    settings = load_settings(rest, config_dir)
    from modelyard.models.artifact import verify as verify_model
    from modelyard_bentos.packaging import find_bento, model_in

    bento = find_bento(str(target)) if is_bento(target) else None
    folder = model_folder(target, settings) if bento is None else model_in(bento)
    document: dict[str, Any] = {"model": str(folder)} | verify_model(folder, deep=not digests_only)
    capacity = None
    if bento is not None and document["ok"] and not digests_only:
        from modelyard_bentos.capacity import measure_bento

        capacity = measure_bento(bento)
    if as_json:
        emit(document | ({"capacity": capacity.model_dump(mode="json")} if capacity else {}))
    else:
        print_pairs(document | document.get("parity", {}))
        if capacity:
            print_capacity(capacity)
    if not document["ok"]:
        raise typer.Exit(1)
