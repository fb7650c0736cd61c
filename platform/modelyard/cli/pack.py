"""`modelyard pack`: a run's model to a bento."""

from __future__ import annotations

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Overrides, RunName, load_settings, split_target
from modelyard.cli.summary import print_next
from modelyard.cli.targets import model_folder

__all__ = ["EXAMPLE", "pack"]

EXAMPLE = "modelyard pack latest"


def pack(
    name: RunName = "latest", overrides: Overrides = None, config_dir: ConfigDir = None, as_json: AsJson = False
) -> None:
    """Make the model of a run the champion, and pack it into a bento."""
    target, rest = split_target(name, overrides)
    settings = load_settings(rest, config_dir)
    folder = model_folder(target or "latest", settings)
    from modelyard.registry.models import promote
    from modelyard_bentos.packaging import pack as pack_model

    replaced = promote(folder, settings)
    packed = pack_model(folder, settings)
    before = f"{replaced.name}:{replaced.version}" if replaced else None
    document = {"bento": packed.tag, "path": str(packed.path), "model": str(folder), "replaced": before}
    if as_json:
        emit(document)
        return
    print_pairs(document)
    print_next((f"modelyard serve {packed.tag}", f"modelyard verify {packed.tag}"))
