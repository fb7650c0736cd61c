"""Names of container images."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from modelyard.errors import UsageError

__all__ = ["Reference"]

# a first part without a dot, a port or the name localhost is no registry: Docker would take one of its own for it
HOST = r"(?P<host>localhost|(?=[^/]*[.:])[a-zA-Z0-9][a-zA-Z0-9.-]*(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)"
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
TAG = r"(?::(?P<tag>\w[\w.-]{0,127}))?"
DIGEST = r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
IMAGE = re.compile(rf"{HOST}/(?P<name>{PART}(?:/{PART})*){TAG}{DIGEST}", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """An image, or a repository of images: ``REGISTRY/NAME[:TAG][@DIGEST]``.

    Attributes:
        host: The registry's host, with its port where it is not the usual one.
        name: The repository inside the registry.
        tag: A name for an image that may move to another one.
        digest: An image, for ever; goes before the tag.
    """

    host: str
    name: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads a reference.

        Raises:
            UsageError: It is none, or leaves the registry out.
        """
        found = IMAGE.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text!r} names no image in a registry; write REGISTRY/NAME:TAG in small letters, "
                "localhost:5000/people:1 for example"
            )
        return cls(**found.groupdict())

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.name}{tag}{digest}"

    @property
    def version(self) -> str:
        """The digest or, where there is none, the tag.

        Raises:
            UsageError: There is neither.
        """
        version = self.digest or self.tag
        if version is None:
            raise UsageError(f"{self} may be any of its versions; write {self}:TAG or {self}@sha256:DIGEST")
        return version

    def at(self, digest: str) -> Reference:
        """Returns an image of the same repository by its digest."""
        return replace(self, tag=None, digest=digest)

    def tagged(self, tag: str) -> Reference:
        """Returns an image of the same repository by its tag."""
        return replace(self, tag=tag, digest=None)
