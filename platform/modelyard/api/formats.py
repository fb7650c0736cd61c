"""Bodies in other formats than JSON."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import cast

from modelyard.api.endpoints import Answer, Format
from modelyard.api.predict import Predictor
from modelyard.api.problems import RequestProblem

__all__ = ["ARROW_STREAM", "find_formats"]

ARROW_STREAM = "application/vnd.apache.arrow.stream"


def find_formats(predictor: Predictor, max_bytes: int) -> Mapping[bytes, Format]:
    """Returns what answers each media type.

    Args:
        predictor: Does the work.
        max_bytes: Longest body when inflated.
    """

    @cache
    def load_arrow() -> Format:
        if find_spec("pyarrow") is None:
            raise RequestProblem(
                415,
                f"{ARROW_STREAM} needs pyarrow, which is not installed: pip install 'modelyard[arrow]', or send JSON",
            )
        # not before somebody asks: pyarrow takes 40 MB of each worker
        return cast("Format", import_module("modelyard.api.arrow").ArrowFormat(predictor, max_bytes))

    def answer_arrow(body: bytes) -> Answer:
        return load_arrow()(body)

    return {ARROW_STREAM.encode(): answer_arrow}
