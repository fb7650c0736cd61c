"""Is everything installed in a base image that a bento needs?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from modelyard.errors import ImageError

__all__ = ["PACKAGES_LABEL", "check_packages"]

# the Dockerfile sets it: NAME==VERSION of every package that is installed, by commas or lines
PACKAGES_LABEL = "io.modelyard.packages"
SHOWN = 5


def check_packages(base: str, labels: Mapping[str, str], bento: str, requirements: Iterable[Requirement]) -> None:
    """Compares what a bento needs with what a base image says that it has.

    Args:
        base: The base image, for the error.
        labels: The base image's labels.
        bento: The bento's tag, for the error.
        requirements: What it needs.

    Raises:
        ImageError: The base does not say what it has, or lacks a package, or has it in another version.
    """
    if not labels.get(PACKAGES_LABEL):
        problem = f"does not say what is installed in it (it has no label {PACKAGES_LABEL})"
        raise ImageError(base, problem, "build it from the project's Dockerfile")
    pins = (pin.partition("==") for pin in re.split(r"[,\s]+", labels[PACKAGES_LABEL]) if pin)
    installed = {canonicalize_name(name): version for name, _, version in pins}
    lacking = []
    for requirement in requirements:
        version = installed.get(canonicalize_name(requirement.name))
        if version is None:
            lacking.append(f"{requirement} (not there)")
        elif not requirement.specifier.contains(version, prereleases=True):
            lacking.append(f"{requirement} (it has {version})")
    if lacking:
        more = f" and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        problem = f"lacks what {bento} needs: {', '.join(lacking[:SHOWN])}{more}"
        raise ImageError(base, problem, "name a base with these packages, or pack with those that it has")
