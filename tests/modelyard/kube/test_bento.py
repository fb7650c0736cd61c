from __future__ import annotations

from pathlib import Path

import pytest

from modelyard.errors import ArtifactDamaged, ImageError, ModelyardError
from modelyard.kube.bento import read_bento
from modelyard.kube.image import flavour_for

REQUIREMENTS = "env/python/requirements.txt"


def test_a_bento_says_what_it_is_and_needs(folder: Path) -> None:
    (folder / REQUIREMENTS).write_text(
        "# pinned\n\nnumpy==2.4.6\nuvloop==1; platform_python_implementation=='CPython'\n"
    )
    bento = read_bento(folder)

    assert bento.tag == "people:abc"
    assert [requirement.name for requirement in bento.requirements] == ["numpy", "uvloop"]
    assert flavour_for(bento.card) == "serving"
    assert flavour_for(bento.card.model_copy(update={"served": "original"})) == "serving-sklearn"


@pytest.mark.parametrize(
    ("part", "content", "error", "problem"),
    [
        ("bento.yaml", None, ImageError, "bento.yaml is missing"),
        ("bento.yaml", "name: people\n", ImageError, "does not say which bento it is"),
        ("bento.yaml", "{", ImageError, "does not say which bento it is"),
        ("bento.yaml", "name: ../../people\nversion: a\n", ImageError, "does not say which bento it is"),
        ("bento.yaml", "name: people\nversion: a/b\n", ImageError, "does not say which bento it is"),
        ("bento.yaml", "a: &a [*a]\nname: people\nversion: b\n", ImageError, "does not say which bento it is"),
        ("bento.yaml", "[" * 3000, ImageError, "does not say which bento it is"),
        (REQUIREMENTS, None, ImageError, "requirements.txt is missing"),
        (REQUIREMENTS, "numpy==", ImageError, "requirements.txt cannot be read"),
        ("src/modelyard.json", None, ImageError, "src/modelyard.json is missing"),
        ("src/modelyard_bentos/service.py", None, ImageError, "service.py is missing"),
        ("src/model/model.onnx", None, ArtifactDamaged, "model.onnx is missing"),
        ("src/model/card.json", "{}", ArtifactDamaged, "card.json differs from the manifest"),
    ],
)
def test_a_damaged_bento_is_refused(
    part: str, content: str | None, error: type[ModelyardError], problem: str, folder: Path
) -> None:
    (folder / part).unlink() if content is None else (folder / part).write_text(content)

    with pytest.raises(error, match=rf"^{folder}.*{problem}.*pack"):
        read_bento(folder)
