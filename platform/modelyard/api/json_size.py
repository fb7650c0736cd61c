"""Size of a JSON document before it is parsed: two bytes of text can become a hundred bytes of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.api.problems import RequestProblem

__all__ = ["JsonLimits"]


@dataclass(frozen=True)
class JsonLimits:
    """Maximum number of objects that a parser may build for one document.

    Attributes:
        containers: Maximum number of arrays and objects.
        values: Maximum number of values.
        remedy: What a client should do about a refusal.
    """

    containers: int
    values: int
    remedy: str

    def check(self, document: bytes) -> None:
        """Refuse a document that is too large to parse.

        Counting takes about a millisecond for each megabyte. Brackets and commas within texts do not count.

        Raises:
            RequestProblem: The document has too many arrays, objects or values (413).
        """
        if self._fits(*_count(document)) or self._fits(*_count(_outside_texts(document))):
            return
        raise RequestProblem(
            413,
            f"the JSON has more than {self.containers} lists and objects or more than {self.values} values; "
            f"{self.remedy}",
        )

    def _fits(self, containers: int, commas: int) -> bool:
        return containers <= self.containers and commas < self.values


def _count(document: bytes) -> tuple[int, int]:
    return document.count(b"[") + document.count(b"{"), document.count(b",")


def _outside_texts(document: bytes) -> bytes:
    """Return the brackets and commas of a document that are not within a text."""
    # only texts have backslashes: without its escapes a text ends at the next quotation mark
    plain = np.frombuffer(document.replace(b"\\\\", b"").replace(b'\\"', b""), np.uint8)
    outside = ~np.logical_xor.accumulate(plain == ord('"'))
    return plain[outside].tobytes()
