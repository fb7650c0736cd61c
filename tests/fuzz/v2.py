"""Fuzzes requests of the Open Inference Protocol, in JSON and binary, against a slow reader of the same."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import atheris
import numpy as np
from fuzzing import FITTING, TOKENS, Subject, check_refusal, fuzz

from modelyard.api.tensor_table import natural_datatype
from modelyard.api.v2 import Infer
from modelyard.data.contract import Contract
from tensor_requests import document, packed

LENGTH = b"inference-header-content-length"
SIGNED = {"BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d"}
FORMATS = SIGNED | {"UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q"}
NULLS = {"", "None", "nan", "<NA>", "NaT"}
Table = dict[str, list[Any]]


class Tensors:
    """The endpoint of one contract."""

    def __init__(self, subject: Subject) -> None:
        self.contract, self.encoder, self.model = subject.contract, subject.encoder, subject.predictor.model
        self.endpoint = Infer(subject.metrics.route("/v2"), subject.predictor)

    def answer(self, body: bytes, length: int | None) -> None:
        """Reads and answers a body, and reads it again slowly."""
        headers = {} if length is None else {LENGTH: b"%d" % length}
        try:
            request = self.endpoint.read(body, headers)
            answer = self.endpoint.finish(request)
        except Exception as error:
            check_refusal(error)
            return
        split = len(body) if length is None else length
        expected = self.encoder.encode(_table(self.contract, json.loads(body[:split]), body[split:]))
        np.testing.assert_array_equal(self.encoder.encode(request.columns.table), expected)
        assert answer.rows == len(expected)
        header = dict(answer.headers).get(LENGTH)
        outputs = json.loads(answer.body if header is None else answer.body[: int(header)])["outputs"]
        for output in outputs:
            assert output["shape"][0] == len(expected)
            if output["name"] == "probabilities" and "data" in output:
                scores = np.float32(output["data"]).reshape(output["shape"])
                np.testing.assert_array_equal(scores, self.model.scorer(expected))


def _table(contract: Contract, request: Any, raw: bytes) -> Table:
    """Reads a good request one value at a time."""
    table: Table = {}
    for tensor in request["inputs"]:
        size = (tensor.get("parameters") or {}).get("binary_data_size")
        values = _plain(tensor["data"]) if size is None else _unpacked(tensor["datatype"], raw[:size])
        raw = raw[size or 0 :]
        if tensor["name"] in contract.names:
            table[tensor["name"]] = _with_nulls(contract, tensor, values)
        else:
            width = len(contract.names)
            table = {name: values[place::width] for place, name in enumerate(contract.names)}
    rows = max(map(len, table.values()))
    return {name: table.get(name, [None] * rows) for name in contract.names}


def _plain(data: list[Any]) -> list[Any]:
    return list(chain.from_iterable(data)) if any(isinstance(value, list) for value in data) else data


def _unpacked(datatype: str, raw: bytes) -> list[Any]:
    if datatype != "BYTES":
        return [value for (value,) in struct.iter_unpack("<" + FORMATS[datatype], raw)]
    texts = []
    while raw:
        end = 4 + int.from_bytes(raw[:4], "little")
        texts.append(raw[4:end].decode())
        raw = raw[end:]
    return texts


def _with_nulls(contract: Contract, tensor: Any, values: list[Any]) -> list[Any]:
    column = next(column for column in contract.columns if column.name == tensor["name"])
    if tensor["datatype"] != "BYTES" or column.kind == "numeric":
        return values
    return [None if value in NULLS - set(column.vocabulary) else value for value in values]


def _body(data: atheris.FuzzedDataProvider, contract: Contract) -> tuple[bytes, int | None]:
    """A tensor for each column or for all, of tokens or of bytes; most of them fit."""
    rows, tensors, raw = data.ConsumeIntInRange(1, 3), [], b""
    kinds = {column.name: (column.kind, natural_datatype(column)) for column in contract.columns}
    if all(kind == "numeric" for kind, _ in kinds.values()) and data.ConsumeBool():
        kinds = {"input": ("numeric", "FP64")}
    for name, (kind, natural) in kinds.items():
        width = len(contract.names) if name == "input" else 1
        fits = data.ConsumeIntInRange(0, 15) > 0
        datatype = natural if fits else data.PickValueInList([*FORMATS, "BYTES"])
        shape = data.PickValueInList([[rows, width]] if fits else [[rows], [rows + 1], [width, rows], [rows, 1, 1]])
        head = f'{{"name": {json.dumps(name)}, "datatype": "{datatype}", "shape": {shape}'
        if data.ConsumeBool():
            part = _raw(data, datatype, kind, rows * width)
            raw += part
            tensors.append(f'{head}, "parameters": {{"binary_data_size": {len(part)}}}}}')
            continue
        values = [data.PickValueInList(FITTING[kind] if fits else TOKENS) for _ in range(rows * width)]
        if data.ConsumeBool():
            values = ["[" + ", ".join(values[row * width : (row + 1) * width]) + "]" for row in range(rows)]
        tensors.append(f'{head}, "data": [{", ".join(values)}]}}')
    more = data.PickValueInList(["", "", ', "parameters": {"binary_data_output": true}', ', "outputs": []'])
    head_of_all = f'{{"inputs": [{", ".join(tensors)}]{more}}}'.encode()
    return head_of_all + raw, len(head_of_all) if raw or data.ConsumeBool() else None


def _raw(data: atheris.FuzzedDataProvider, datatype: str, kind: str, count: int) -> bytes:
    if datatype != "BYTES":
        if datatype == "BOOL" or data.ConsumeBool():
            return struct.pack(f"<{count}{FORMATS[datatype]}", *[data.ConsumeIntInRange(0, 1) for _ in range(count)])
        return data.ConsumeBytes(count * struct.calcsize(FORMATS[datatype]))
    tokens = [token for token in FITTING[kind] if token[0] == '"'] or TOKENS[-6:]
    texts = [str(json.loads(data.PickValueInList(tokens))) for _ in range(count)]
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)


def _seeds() -> Iterator[bytes]:
    """Good requests for raw bodies, and bytes that become bodies."""
    for subject in range(2):
        yield _marked(subject, 0, None, json.dumps(document()).encode())
        body, headers = packed(document())
        yield _marked(subject, 1, int(*headers.values()), body)
    numbers = {"name": "input", "datatype": "FP64", "shape": [2, 2], "data": [[1, 2.5], [3, None]]}
    yield _marked(4, 0, None, json.dumps({"inputs": [numbers]}).encode())
    for number in range(20):
        draw = np.random.default_rng(number)
        yield _marked(number % 5, 2 + number % 2, None, draw.bytes(200))


def _marked(subject: int, way: int, length: int | None, body: bytes) -> bytes:
    return bytes([subject + 5 * way]) + (length or 0).to_bytes(2, "little") + body


def _prepare(subjects: list[Subject]) -> Callable[[bytes], None]:
    tensors = [Tensors(subject) for subject in subjects]

    def check(given: bytes) -> None:
        if len(given) < 3:
            return
        subject, way = tensors[given[0] % len(tensors)], given[0] // len(tensors) % 4
        if way == 0:
            subject.answer(given[3:], None)
        elif way == 1:
            subject.answer(given[3:], int.from_bytes(given[1:3], "little"))
        else:
            subject.answer(*_body(atheris.FuzzedDataProvider(given[3:]), subject.contract))

    return check


if __name__ == "__main__":
    fuzz(_prepare, _seeds)
