from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.errors import ImageError, UsageError
from modelyard.kube.alias import promote
from modelyard.kube.bento import read_bento
from modelyard.kube.image import push_image
from modelyard.kube.reference import Reference

MakeBase = Callable[..., Reference]


def test_promoting_moves_the_champion_and_says_what_it_replaced(folder: Path, host: str, make_base: MakeBase) -> None:
    base, people = make_base(platforms=["amd64", "arm64"]), Reference(host, "people")
    first = push_image(read_bento(folder), people, base, insecure=True)
    (folder / "src" / "modelyard.json").write_text("{ }\n")
    second = push_image(read_bento(folder), people.tagged("candidate"), base, insecure=True)
    version = read_bento(folder).manifest.version

    done = promote(first.version, insecure=True)
    assert (done.alias, done.image, done.replaced) == (people.tagged("champion"), first.image, None)
    assert done.version.model == version

    done = promote(people.tagged("candidate"), insecure=True)
    assert done.image == second.image
    assert done.replaced is not None
    assert (done.replaced.digest, done.replaced.model) == (first.image.digest, version)
    assert promote(done.alias, insecure=True).replaced is None
    # a rollback is a promotion
    back = promote(first.image, insecure=True).replaced
    assert back is not None
    assert back.digest == second.image.digest


def test_what_is_no_model_is_not_promoted(host: str, make_base: MakeBase) -> None:
    base = make_base()
    with pytest.raises(ImageError, match=f"^{base}: names no model"):
        promote(base, insecure=True)
    nothing = base.tagged("nothing")
    with pytest.raises(ImageError, match=f"^{nothing}: is not there"):
        promote(nothing, insecure=True)
    with pytest.raises(UsageError, match="may be any of its versions"):
        promote(Reference(host, "serving"), insecure=True)
