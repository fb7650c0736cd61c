"""Fuzzes the way from a body to an encoded row with atheris: the fast ways must agree with the slow one that explains.

    pip install atheris
    PYTHONPATH=platform:tests python tests/fuzz/rows.py CORPUS_FOLDER -max_len=4096 -rss_limit_mb=8192

Ends at the first input that raises anything but a refusal, or on which two ways disagree. The memory that grows is
atheris's own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from math import isfinite
from pathlib import Path
from typing import Any

import atheris
import numpy as np
import pandas as pd
from msgspec.structs import astuple

with atheris.instrument_imports(include=["modelyard"]):
    from modelyard.api.predict import Predictor, Request
    from modelyard.api.problems import RequestProblem
    from modelyard.data.encoding import Encoder
    from modelyard.data.rows import RowEncoder, TypedEncoder
    from modelyard.data.violations import Violations
    from modelyard.errors import ContractViolation

from prometheus_client import CollectorRegistry

from malformed_bodies import GOOD, MALFORMED
from modelyard.data.contract import Column, Contract, Target
from modelyard.models.artifact import load_model
from modelyard.monitoring.metrics import PredictionMetrics
from served_model import json_rows, make_contract, make_table, save_served

MAX_ROWS = 8
# numbers, texts and dates at the edges of what a type can hold, as JSON
TOKENS = [
    *("null", "true", "false", "0", "-0", "-0.0", "1", "2", "30", "39", "3.0", "1e0", "1e-400", "1e400", "-1e308"),
    *("3.4028235e38", "3.4028236e38", "9007199254740993", "-9223372036854775808", "18446744073709551616", "2.5"),
    *("NaN", "Infinity", '""', '"1"', '"2.5"', '"true"', '" FALSE "', '"Private"', '"Größe x"', '"?"', '"\\ud83d"'),
    *('"2024-02-01T10:00:00"', '"2024-02-01"', '"20240201T100000,5+0230"', '"2024-W05-4"', '"0001-01-01T00:00+23:59"'),
    *('"9999-12-31T23:59:59.999999-23:59"', '" 1969-12-31T23:59:59.9Z "', "[]", "{}", "1.5", "0.1", "16777217"),
]


def tables() -> list[tuple[pd.DataFrame, Contract]]:
    """Mixed tables: as they are, with a contract that refuses all that it can, of odd categories, of odd names."""
    frame = make_table()
    refuse = {"on_null": "refuse", "on_unknown": "refuse", "on_range": "refuse"}
    odd = (
        Column(name="number", kind="numeric", integer=True, nullable=True, minimum=-(2.0**60), maximum=2.0**60),
        Column(name="code", kind="categorical", vocabulary=("1", "2.5", "03", "x", "9007199254740993", "")),
        Column(name="strict", kind="categorical", vocabulary=("1", "2.5", "a"), on_unknown="refuse"),
        Column(name="when", kind="datetime", nullable=True),
        Column(name="flag", kind="boolean"),
    )
    rows = pd.DataFrame({"number": [1, 2], "code": "1", "strict": "a", "when": "2024-01-01", "flag": [True, False]})
    values = make_table("regression").rename(columns={"age": 'a"ge', "json": "back\\slash"})
    return [
        (frame, make_contract(frame)),
        (frame, make_contract(frame, **dict.fromkeys(GOOD, refuse))),
        (rows, Contract(columns=odd, target=Target(name="y", task="binary", classes=('"a"', "b")))),
        (values, make_contract(values)),
    ]


class Subject:
    """One contract with every way to read and to encode its rows."""

    def __init__(self, contract: Contract, folder: Path) -> None:
        self.contract = contract
        self.predictor = Predictor(load_model(folder), MAX_ROWS, PredictionMetrics(CollectorRegistry()))
        self.encoder, self.typed = Encoder(contract), TypedEncoder(contract)
        self.violations = Violations(contract)
        self.matrix = np.zeros((1, len(self.encoder.features)), dtype=np.float32)
        self.row = RowEncoder(contract, self.matrix)

    def answer(self, body: bytes) -> None:
        """Reads and answers a body in every way."""
        try:
            request = self.predictor.read(body)
            answer = self.predictor.finish(request)
        except RequestProblem as problem:
            if problem.details.status in (400, 413, 422) and problem.details.detail:
                return
            raise
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


def seeds(folder: Path) -> None:
    """Writes real rows and the malformed bodies into an empty corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = make_table()
    good = [json.dumps({"rows": [row]}).encode() for row in json_rows(frame[:8], make_contract(frame))]
    for number, body in enumerate([*good, *(malformed.body[:4000] for malformed in MALFORMED)]):
        for subject in range(2):
            (folder / f"seed-{number}-{subject}").write_bytes(bytes([subject]) + body)


def main() -> None:
    """Fuzzes until libFuzzer or a signal ends it."""
    with tempfile.TemporaryDirectory() as scratch:
        subjects = [
            Subject(contract, save_served(Path(scratch) / str(number), frame, contract))
            for number, (frame, contract) in enumerate(tables())
        ]

        def test_one_input(given: bytes) -> None:
            if not given:
                return
            subject, way = subjects[given[0] % len(subjects)], given[0] // len(subjects) % 4
            if way < 2:
                subject.answer(given[1:])
                return
            data = atheris.FuzzedDataProvider(given[1:])
            if way == 2:
                subject.answer(_body(data, subject.contract))
            else:
                subject.encode([_value(data, column.kind) for column in subject.contract.columns])

        corpus = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
        if corpus and not any(corpus[0].glob("*")):
            seeds(corpus[0])
        atheris.Setup(sys.argv, test_one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
