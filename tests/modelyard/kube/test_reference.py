from __future__ import annotations

import pytest

from modelyard.errors import UsageError
from modelyard.kube.reference import Reference

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("localhost/people", ("localhost", "people", None, None)),
        ("localhost:5000/people:1", ("localhost:5000", "people", "1", None)),
        ("127.0.0.1:5000/a/b-c__d.e/f:V_1.0-x", ("127.0.0.1:5000", "a/b-c__d.e/f", "V_1.0-x", None)),
        (f"registry.local/people@{DIGEST}", ("registry.local", "people", None, DIGEST)),
        (f"[::1]:5000/people:1@{DIGEST}", ("[::1]:5000", "people", "1", DIGEST)),
    ],
)
def test_references_are_taken_apart_and_put_together(text: str, parts: tuple[str | None, ...]) -> None:
    reference = Reference.parse(text)

    assert (reference.host, reference.name, reference.tag, reference.digest) == parts
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "people",
        "people:1",
        "team/people",
        "localhost:5000",
        "registry.local/People",
        "registry.local/a:",
        "r.l/a@sha256:0",
        "https://registry.local/people",
        "registry.local/people:1\n",
        "registry.local/a//b",
    ],
)
def test_what_names_no_image_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no image in a registry; write REGISTRY/NAME:TAG"):
        Reference.parse(text)


def test_a_version_is_a_digest_or_a_tag() -> None:
    people = Reference.parse("localhost:5000/people")

    assert people.tagged("1").at(DIGEST).version == DIGEST
    assert people.at(DIGEST).tagged("1").version == "1"
    with pytest.raises(UsageError, match=r"write localhost:5000/people:TAG or"):
        _ = people.version
