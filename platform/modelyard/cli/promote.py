"""`modelyard promote`: which image of a repository is the champion."""

from __future__ import annotations

from typing import Annotated

import typer

from modelyard.cli.console import emit, print_pairs
from modelyard.cli.options import AsJson, Insecure

__all__ = ["EXAMPLE", "promote"]

EXAMPLE = "modelyard promote localhost:5000/people:candidate"


def promote(
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="REGISTRY/NAME:TAG or REGISTRY/NAME@DIGEST.", show_default=False)
    ],
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Let REGISTRY/NAME:champion name an image, and say which one it replaced."""
    from modelyard.kube.alias import promote as promote_image
    from modelyard.kube.reference import Reference

    done = promote_image(Reference.parse(image), insecure=insecure)
    document = {"alias": str(done.alias), "image": str(done.image), "model": done.version.model}
    before = done.replaced
    if as_json:
        replaced = before and {"image": str(done.image.at(before.digest)), "model": before.model}
        emit(document | {"replaced": replaced})
    else:
        told = before and f"{done.image.at(before.digest)} (model {before.model or 'unknown'})"
        print_pairs(document | {"replaced": told})
