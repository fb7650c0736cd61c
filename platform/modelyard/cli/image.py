"""`modelyard image`: a bento to an image in a registry."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, ConfigDir, Insecure, Overrides, load_settings
from modelyard.cli.summary import print_next
from modelyard.errors import ConfigError

if TYPE_CHECKING:
    from modelyard.config import Settings
    from modelyard.kube.bento import Bento
    from modelyard.kube.image import Pushed

__all__ = ["EXAMPLE", "Base", "image", "push_bento"]

EXAMPLE = "modelyard image people:latest --to localhost:5000/people --base localhost:5000/serving:1 --insecure"
Base = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="IMAGE", help="Image to lay the bento on.  [default: cluster.serving_base or sklearn_base]"
    ),
]
SETTING = {"serving": "serving_base", "serving-sklearn": "sklearn_base"}


def image(
    bento: Annotated[str, typer.Argument(metavar="BENTO", help="A bento's tag.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="REGISTRY/NAME",
            help="Where to push; :ALIAS at its end moves that alias.",
            show_default=False,
        ),
    ],
    overrides: Overrides = None,
    base: Base = None,
    insecure: Insecure = False,
    config_dir: ConfigDir = None,
    as_json: AsJson = False,
) -> None:
    """Lay a bento on a base image and push the result, without Docker."""
    packed, done = push_bento(bento, to, load_settings(overrides, config_dir), base, insecure=insecure)
    document = {
        "image": str(done.image),
        "version": str(done.version),
        "bento": packed.tag,
        "model": f"sha256:{packed.manifest.digest}",
        "base": str(done.base),
        "platforms": " ".join(done.platforms),
    }
    sent = done.traffic
    if as_json:
        replaced = done.replaced and str(done.image.at(done.replaced.digest))
        emit(document | {"replaced": replaced, "sent": asdict(sent), "seconds": round(done.seconds, 3)})
        return
    told = f"{sent.bytes / 1e6:.1f} MB: {sent.blobs} blobs, {sent.mounted} mounted, {sent.present} there already"
    print_pairs(document | {"sent": told, "seconds": done.seconds})
    print_next((f"modelyard promote {done.version}{' --insecure' if insecure else ''}",))


def push_bento(tag: str, to: str, settings: Settings, base: str | None, *, insecure: bool) -> tuple[Bento, Pushed]:
    """Lays a bento of BentoML's store on a base image and pushes the result.

    Args:
        tag: The bento's.
        to: The repository to push to.
        settings: Name the base image.
        base: Goes before the settings.
        insecure: Whether plain HTTP will do where a registry does not speak TLS.
    """
    from modelyard.kube.bento import read_bento
    from modelyard.kube.image import push_image
    from modelyard.kube.reference import Reference
    from modelyard_bentos.packaging import find_bento

    packed = read_bento(find_bento(tag))
    chosen = Reference.parse(base or _base_for(packed, settings))
    return packed, push_image(packed, Reference.parse(to), chosen, insecure=insecure)


def _base_for(bento: Bento, settings: Settings) -> str:
    from modelyard.kube.image import flavour_for

    flavour = flavour_for(bento.card)
    base: str | None = getattr(settings.cluster, SETTING[flavour])
    if base is None:
        hint = f"give --base, or set it to an image of the Dockerfile's target {flavour}"
        raise ConfigError(f"cluster.{SETTING[flavour]}", f"there is no base image for {bento.tag} yet", hint=hint)
    return base
