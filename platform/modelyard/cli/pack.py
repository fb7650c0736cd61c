"""`modelyard pack`: a run's model to a measured bento."""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard.cli.capacity import in_short
from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, RunName, load_settings, split_target
from modelyard.cli.summary import print_next
from modelyard.cli.targets import model_folder

__all__ = ["EXAMPLE", "pack"]

EXAMPLE = "modelyard pack latest"


def pack(
    name: RunName = "latest",
    overrides: Overrides = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Serve it once on this machine to measure its capacity.")
    ] = True,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Make the model of a run the champion, pack it into a bento, and measure what the bento can take.

    A bento that was packed and measured before is left as it is.
    """
    target, rest = split_target(name, overrides)
    settings = load_settings(rest, config_dir)
    folder = model_folder(target or "latest", settings)
    from modelyard.models.artifact import read_card
    from modelyard.registry.models import promote
    from modelyard_bentos.packaging import pack as pack_model

    replaced = promote(folder, settings)
    packed = pack_model(folder, settings)
    capacity = read_card(packed.model).capacity
    if capacity is None and measure:
        from modelyard_bentos.capacity import measure_bento

        capacity = measure_bento(packed.path)
    before = f"{replaced.name}:{replaced.version}" if replaced else None
    document = {"bento": packed.tag, "path": str(packed.path), "model": str(folder), "replaced": before}
    if as_json:
        emit({**document, "capacity": capacity.model_dump(mode="json") if capacity else None})
        return
    print_pairs(document | ({"capacity": in_short(capacity)} if capacity else {}))
    print_next((f"modelyard serve {packed.tag}", f"modelyard verify {packed.tag}"))
