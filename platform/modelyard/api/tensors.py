"""Tensors of the Open Inference Protocol: values in JSON, or raw ones, little-endian, behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, islice
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from modelyard.api.problems import MOST_ERRORS, FieldProblem, RequestProblem, describe, pointer

__all__ = ["DTYPES", "NUMBERS", "Datatype", "Tensor", "Values", "cut", "merge", "read_values", "write_tensor", "wrong"]

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"
]
Path = tuple[str | int, ...]
Values = NDArray[Any] | list[Any]

WHOLE = {
    f"{sign}INT{8 * size}": np.dtype(f"<{sign.lower() or 'i'}{size}") for sign in ("U", "") for size in (1, 2, 4, 8)
}
FLOATS = {f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)}
DTYPES = {**WHOLE, **FLOATS, "BOOL": np.dtype(np.uint8)}
NUMBERS = frozenset({*WHOLE, *FLOATS})
IN_JSON: dict[str, tuple[str, frozenset[type]]] = {
    "BYTES": ("a text", frozenset({str, type(None)})),
    "BOOL": ("true or false", frozenset({bool, type(None)})),
    **dict.fromkeys(FLOATS, ("a number", frozenset({int, float, type(None)}))),
    **dict.fromkeys(WHOLE, ("a whole number", frozenset({int, type(None)}))),
}
LENGTH_BYTES = 4
LARGEST_SIZE = 2**63 - 1


class TensorParameters(BaseModel):
    """What is known of a tensor besides."""

    model_config = ConfigDict(extra="allow")

    binary_data_size: Annotated[int, Field(strict=True, ge=0, le=LARGEST_SIZE)] | None = Field(
        None, description="Bytes of its values behind the JSON, in the order of the tensors; none: they are in `data`."
    )


class Tensor(BaseModel):
    """Values of one type, row by row."""

    name: str
    datatype: Datatype
    shape: Annotated[list[Annotated[int, Field(strict=True, ge=0, le=LARGEST_SIZE)]], Field(max_length=8)]
    parameters: TensorParameters | None = None
    data: list[Any] | None = Field(None, description="The values, in one list or in a list for each row.")


def cut(tensors: Sequence[Tensor], binary: memoryview) -> list[memoryview | None]:
    """Gives each tensor its part of what follows the JSON; those with values in the JSON get none.

    Raises:
        RequestProblem: The sizes are not those of what follows (400).
    """
    parts: list[memoryview | None] = []
    end = 0
    for place, tensor in enumerate(tensors):
        path = ("inputs", place, "parameters", "binary_data_size")
        size = tensor.parameters.binary_data_size if tensor.parameters is not None else None
        if size is None:
            parts.append(None)
            continue
        if size > len(binary) - end:
            received = f"{size}; the header Inference-Header-Content-Length says where the JSON ends"
            raise wrong(400, path, tensor.name, f"at most the {len(binary) - end} bytes that follow", received)
        parts.append(binary[end : end + size])
        end += size
    if end != len(binary):
        raise RequestProblem(
            400,
            f"{len(binary)} bytes follow the JSON, but the inputs' binary_data_size are {end} together; "
            "give each binary input its size, and Inference-Header-Content-Length the JSON's",
        )
    return parts


def read_values(tensor: Tensor, path: Path, raw: memoryview | None) -> Values:
    """Reads the values of a tensor, row by row.

    Args:
        tensor: The tensor.
        path: Where it is in the request.
        raw: Its part of what follows the JSON; none: its values are in the JSON.

    Returns:
        As many values as the shape says: an array, or where there are texts or nulls in the JSON a list.

    Raises:
        RequestProblem: The values are not those that datatype and shape say (400).
    """
    if tensor.parameters is not None and "shared_memory_region" in (tensor.parameters.model_extra or {}):
        received = "a region of shared memory, which is not served"
        raise wrong(400, (*path, "parameters", "shared_memory_region"), tensor.name, "the values themselves", received)
    if raw is None:
        return _from_json(tensor, (*path, "data"))
    if tensor.data is not None:
        raise wrong(400, (*path, "data"), tensor.name, "values either here or behind the JSON", "both")
    if tensor.datatype == "BYTES":
        return _texts(tensor, path, raw)
    dtype, count = DTYPES[tensor.datatype], math.prod(tensor.shape)
    if len(raw) != count * dtype.itemsize:
        size = (*path, "parameters", "binary_data_size")
        expected = f"{count * dtype.itemsize} bytes for {tensor.datatype} of the shape {tensor.shape}"
        raise wrong(400, size, tensor.name, expected, str(len(raw)))
    values = np.frombuffer(raw, dtype)
    if tensor.datatype == "BOOL":
        at = int(values.argmax())
        if values[at] > 1:
            raise wrong(400, (*path, "data", at), tensor.name, "a byte 0 or 1", str(values[at]))
        return values.view(np.bool_)
    return values


def write_tensor(name: str, datatype: Datatype, values: Values, *, binary: bool) -> tuple[Tensor, bytes]:
    """Returns a tensor, and its raw values where they shall follow the JSON."""
    shape = list(np.shape(values))
    if not binary:
        data = values.ravel().tolist() if isinstance(values, np.ndarray) else values
        return Tensor(name=name, datatype=datatype, shape=shape, data=data), b""
    if isinstance(values, np.ndarray):
        raw = values.tobytes()
    else:
        raw = b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in map(str.encode, values))
    parameters = TensorParameters(binary_data_size=len(raw))
    return Tensor(name=name, datatype=datatype, shape=shape, parameters=parameters), raw


def wrong(status: int, path: Path, name: str, expected: str, received: str, hint: str = "") -> RequestProblem:
    """Returns the refusal of a request for one thing that is wrong with one tensor."""
    where = pointer(*path)
    about = f" (tensor {describe(name)})" if name else ""
    detail = f"{where or 'the body'}{about}: expected {expected}, not {received}" + (f"; {hint}" if hint else "")
    return RequestProblem(
        status, detail, [FieldProblem(path=where, expected=expected, received=received, detail=detail)]
    )


def merge(problems: Sequence[RequestProblem]) -> RequestProblem:
    """Returns one refusal for all that is wrong: malformed where any is."""
    errors = list(islice((error for problem in problems for error in problem.details.errors), MOST_ERRORS))
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return RequestProblem(min(problem.details.status for problem in problems), errors[0].detail + others, errors)


def _from_json(tensor: Tensor, path: Path) -> list[Any]:
    values, shape, name = tensor.data, tensor.shape, tensor.name
    if values is None:
        raise wrong(400, path, name, "a list of values", "nothing")
    kinds = set(map(type, values))
    if len(shape) == 2 and kinds == {list}:
        if len(values) != shape[0] or {len(row) for row in values} - {shape[1]}:
            raise wrong(400, path, name, f"{shape[0]} lists of {shape[1]} values", describe(values))
        values = list(chain.from_iterable(values))
        kinds = set(map(type, values))
    if len(values) != math.prod(shape):
        raise wrong(400, path, name, f"{math.prod(shape)} values for the shape {shape}", str(len(values)))
    words, allowed = IN_JSON[tensor.datatype]
    if not kinds <= allowed:
        at = next(at for at, value in enumerate(values) if type(value) not in allowed)
        raise wrong(400, (*path, at), name, f"{words} or null", describe(values[at]))
    if tensor.datatype in WHOLE:
        limits = np.iinfo(WHOLE[tensor.datatype])
        for at, value in enumerate(values):
            if value is not None and not limits.min <= value <= limits.max:
                expected = f"{tensor.datatype}, from {limits.min} to {limits.max}"
                raise wrong(400, (*path, at), name, expected, describe(value))
    return values


def _texts(tensor: Tensor, path: Path, raw: memoryview) -> list[str]:
    """Reads texts, each behind its length."""
    texts: list[str] = []
    end, count = 0, math.prod(tensor.shape)
    while len(texts) < count:
        start = end + LENGTH_BYTES
        end = start + int.from_bytes(raw[end:start], "little")
        at = (*path, "data", len(texts))
        if end > len(raw):
            received = f"{len(raw)} bytes, which end within this one"
            raise wrong(400, at, tensor.name, f"{count} texts, each behind its length in 4 bytes", received)
        try:
            texts.append(str(raw[start:end], "utf-8"))
        except UnicodeDecodeError:
            raise wrong(400, at, tensor.name, "a text in UTF-8", describe(bytes(raw[start:end]))) from None
    if end != len(raw):
        size = (*path, "parameters", "binary_data_size")
        raise wrong(400, size, tensor.name, f"{end} bytes for {count} texts", str(len(raw)))
    return texts
