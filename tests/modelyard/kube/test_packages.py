from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from modelyard.errors import ImageError
from modelyard.kube.packages import PACKAGES_LABEL, check_packages

NEEDED = [Requirement("numpy==2.4.6"), Requirement("typing-extensions==4.16.0")]


@pytest.mark.parametrize(
    "label", ["numpy==2.4.6,typing_extensions==4.16.0", "attrs==1\nnumpy==2.4.6\nTyping.Extensions==4.16.0\n"]
)
def test_a_base_that_has_everything(label: str) -> None:
    check_packages("base", {PACKAGES_LABEL: label}, "people:1", NEEDED)


@pytest.mark.parametrize(
    ("label", "lacking"),
    [
        ("numpy==2.4.6", r"typing-extensions==4.16.0 \(not there\);"),
        ("numpy==2.4.5,typing-extensions==4.16.0", r"numpy==2.4.6 \(it has 2.4.5\);"),
        ("numpy==2.4.5", r"numpy==2.4.6 \(it has 2.4.5\), typing-extensions==4.16.0 \(not there\);"),
    ],
)
def test_a_base_that_lacks_a_package_is_refused(label: str, lacking: str) -> None:
    with pytest.raises(ImageError, match=f"^base: lacks what people:1 needs: {lacking}"):
        check_packages("base", {PACKAGES_LABEL: label}, "people:1", NEEDED)


def test_a_long_list_is_cut() -> None:
    many = [Requirement(f"p{number}==1") for number in range(9)]
    with pytest.raises(ImageError, match=r"p4==1 \(not there\) and 4 more;"):
        check_packages("base", {PACKAGES_LABEL: "numpy==1"}, "people:1", many)


def test_a_base_that_says_nothing_is_refused() -> None:
    with pytest.raises(ImageError, match=f"no label {PACKAGES_LABEL}"):
        check_packages("base", {}, "people:1", NEEDED)
