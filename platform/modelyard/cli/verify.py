"""`modelyard verify`: is a model still what its card says, and what can its service take?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from modelyard.cli.capacity import print_capacity
from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, load_settings, split_target
from modelyard.cli.targets import is_bento, model_folder
from modelyard.errors import UsageError

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
        bool, typer.Option("--digests-only", help="Check digests, and compare no answers.")
    ] = False,
    trust_pickle: Annotated[
        bool,
        typer.Option(
            "--trust-pickle",
            help="Unpickle the fitted pipeline, which can run any code, and compare with it on fresh rows.",
        ),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Serve a bento on this machine, which runs its code, and measure its capacity."),
    ] = False,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Check a model's digests, and its answers against the reference rows stored with it.

    Nothing of the model is executed but its ONNX graph, unless --trust-pickle or --measure is given. With --measure the
    bento keeps the measured capacity. Ends with 1 where a check does not hold.
    """
    target, rest = split_target(model, overrides)
    settings = load_settings(rest, config_dir)
    bento_wanted = is_bento(target)
    if digests_only and (trust_pickle or measure):
        raise UsageError("--digests-only runs nothing; leave it out, or leave out --trust-pickle and --measure")
    if measure and not bento_wanted:
        raise UsageError("--measure needs a bento's tag, NAME:VERSION; make a bento with: modelyard pack RUN")
    from modelyard.models.artifact import verify as verify_model
    from modelyard_bentos.packaging import find_bento, model_in

    bento = find_bento(str(target)) if bento_wanted else None
    folder = model_folder(target, settings) if bento is None else model_in(bento)
    found = verify_model(folder, deep=not digests_only, trust_pickle=trust_pickle)
    document: dict[str, Any] = {"model": str(folder)} | found
    capacity = None
    if bento is not None and measure and document["ok"]:
        from modelyard_bentos.capacity import measure_bento

        capacity = measure_bento(bento)
    if as_json:
        emit(document | ({"capacity": capacity.model_dump(mode="json")} if capacity else {}))
    else:
        print_pairs(_shown(document))
        if capacity:
            print_capacity(capacity)
    if not document["ok"]:
        raise typer.Exit(1)


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the document for a person: one line for each comparison."""
    names = {"reference": "reference rows", "parity": "fresh rows"}
    return {names.get(key, key): _in_short(value) if key in names else value for key, value in document.items()}


def _in_short(parity: dict[str, Any]) -> str:
    answered = f"{parity['failures']} of {parity['rows']} rows differ"
    return f"{answered}, by up to {parity['worst_difference']:.2g}"
