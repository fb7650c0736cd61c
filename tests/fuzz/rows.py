"""Fuzzes rows in JSON from a body to an encoded row: the fast ways must agree with the slow one that explains."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import atheris
import numpy as np
from fuzzing import TOKENS, Subject, check_refusal, fuzz
from msgspec.structs import astuple

from malformed_bodies import MALFORMED
from modelyard.api.predict import Request
from modelyard.data.contract import Contract
from modelyard.data.rows import RowEncoder, TypedEncoder
from modelyard.data.violations import Violations
from modelyard.errors import ContractViolation
from served_model import json_rows, make_contract, make_table


class Rows:
    """One contract with every way to read and to encode its rows."""

    def __init__(self, subject: Subject) -> None:
        self.contract, self.predictor, self.encoder = subject.contract, subject.predictor, subject.encoder
        self.typed = TypedEncoder(self.contract)
        self.violations = Violations(self.contract)
        self.matrix = np.zeros((1, len(self.encoder.features)), dtype=np.float32)
        self.row = RowEncoder(self.contract, self.matrix)

    def answer(self, body: bytes) -> None:
        """Reads and answers a body in every way."""
        try:
            request = self.predictor.read(body)
            answer = self.predictor.finish(request)
        except Exception as error:
            check_refusal(error)
            return
        table, timing = self.predictor.decoder.decode(body)
        assert timing == request.timing
        slow = self.encoder.encode(table)
        np.testing.assert_array_equal(self.typed.encode(_columns(self.contract, request)), slow)
        assert not any(violation.refused for violation in self.violations.find(slow))
        if len(request.rows) == 1:
            assert self.predictor.finish_one(request) == answer or timing
        self.predictor.metrics.flush()
        assert len(json.loads(answer)["predictions"]) == len(slow)

    def encode(self, values: list[Any]) -> None:
        """Encodes typed values in every way."""
        table = {name: [value] for name, value in zip(self.contract.names, values, strict=True)}
        try:
            expected = self.encoder.encode(table)
        except ContractViolation:
            return
        np.testing.assert_array_equal(self.typed.encode(table), expected)
        try:
            self.row(values)
        except OverflowError:
            return
        np.testing.assert_array_equal(self.matrix, expected)


def _columns(contract: Contract, request: Request) -> dict[str, Any]:
    rows = [row if type(row) is tuple else astuple(row) for row in request.rows]
    return dict(zip(contract.names, zip(*rows, strict=True), strict=True))


def _value(data: atheris.FuzzedDataProvider, kind: str) -> Any:
    if data.ConsumeBool():
        return None
    if kind == "boolean":
        return data.ConsumeBool()
    if kind == "numeric":
        number = data.ConsumeRegularFloat() if data.ConsumeBool() else data.ConsumeInt(8)
        return number if isfinite(number) else None
    if kind == "datetime":
        return json.loads(data.PickValueInList([token for token in TOKENS if "-" in token and token[0] == '"']))
    return data.PickValueInList([1, 1.0, 2.5, 2**53 + 1, "1", "2.5", "03", "3", 3, "Private", data.ConsumeUnicode(8)])


def _body(data: atheris.FuzzedDataProvider, contract: Contract) -> bytes:
    """Rows with tokens for values: named or listed, whole or with a column left out, over or twice."""
    rows = []
    for _ in range(data.ConsumeIntInRange(1, 3)):
        cells = [(json.dumps(name), data.PickValueInList(TOKENS)) for name in contract.names]
        if data.ConsumeBool():
            rows.append("[" + ", ".join(value for _, value in cells) + "]")
            continue
        if data.ConsumeBool():
            cells[data.ConsumeIntInRange(0, len(cells) - 1)] = data.PickValueInList(cells)
        rows.append("{" + ", ".join(f"{name}: {value}" for name, value in cells) + "}")
    order = f', "columns": {json.dumps(contract.names)}'
    more = data.PickValueInList(["", "", ', "timing": true', ', "columns": null', order])
    return f'{{"rows": [{", ".join(rows)}]{more}}}'.encode()


def _seeds() -> Iterator[bytes]:
    """Real rows and the malformed bodies."""
    frame = make_table()
    good = [json.dumps({"rows": [row]}).encode() for row in json_rows(frame[:8], make_contract(frame))]
    for body in [*good, *(malformed.body[:4000] for malformed in MALFORMED)]:
        for subject in range(2):
            yield bytes([subject]) + body


def _prepare(subjects: list[Subject]) -> Callable[[bytes], None]:
    rows = [Rows(subject) for subject in subjects]

    def check(given: bytes) -> None:
        if not given:
            return
        subject, way = rows[given[0] % len(rows)], given[0] // len(rows) % 4
        if way < 2:
            subject.answer(given[1:])
            return
        data = atheris.FuzzedDataProvider(given[1:])
        if way == 2:
            subject.answer(_body(data, subject.contract))
        else:
            subject.encode([_value(data, column.kind) for column in subject.contract.columns])

    return check


if __name__ == "__main__":
    fuzz(_prepare, _seeds)
