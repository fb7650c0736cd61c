"""The locks of the images, and the Dockerfile's promises that can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = {path.stem: path.read_text() for path in sorted((ROOT / "requirements").glob("*.txt"))}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IMAGES = re.findall(r"^FROM \S+ AS (serving\S*|training)$", DOCKERFILE, flags=re.M)
# what BentoML asks a driver with, where there is one: 50 kB of Python without a library
ALLOWED = {"nvidia-ml-py"}


def pins(name: str) -> set[tuple[str, str]]:
    """Packages with their versions; the common lock has some twice, for different Pythons."""
    return set(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", LOCKS[name], flags=re.M))


def packages(name: str) -> set[str]:
    return {package for package, _ in pins(name)}


def test_every_image_has_a_lock_and_every_lock_is_used() -> None:
    assert sorted(LOCKS) == sorted([*IMAGES, "lock"])


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_brings_libraries_for_graphics_cards(name: str) -> None:
    assert {package for package in packages(name) if package.startswith(("nvidia", "cuda"))} - ALLOWED == set()


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_holds_what_the_tests_ran_with(name: str) -> None:
    assert pins(name) <= pins("lock")
    assert len(pins(name)) > 50


@pytest.mark.parametrize("name", IMAGES)
def test_an_images_lock_has_hashes_and_neither_an_index_nor_a_condition(name: str) -> None:
    lines = re.findall(r"^(?!    --hash=sha256:[0-9a-f]{64}(?: \\)?$).+$", LOCKS[name], flags=re.M)
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==\S+ \\", line)] == []


def test_what_only_serves_has_neither_ray_nor_scikit_learn() -> None:
    assert {"ray", "scikit-learn", "pandas", "optuna", "lightgbm", "pyarrow"} & packages("serving") == set()
    assert {"ray", "optuna"} & packages("serving-sklearn") == set()


def test_the_classic_builder_can_build_the_images() -> None:
    assert re.findall(r"^# *syntax|--mount|<<|--link|--chmod|--checksum", DOCKERFILE, flags=re.M) == []


def test_an_image_needs_no_shell_to_run_and_nobody_is_root() -> None:
    assert all(
        line.split(maxsplit=1)[1].startswith("[") for line in re.findall(r"^(?:ENTRYPOINT|CMD).*", DOCKERFILE, re.M)
    )
    assert re.findall(r"^USER (.*)", DOCKERFILE, flags=re.M) == ["1000:1000"]
